"""Tasks `fetch` and `clean`."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from seq2seq.corpora import fetching
from seq2seq.settings.cleaning import CleaningSettings
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.storage.artifacts import Record, write_text_atomically
from tasks.pages import cleaning_page, corpus_page
from tasks.reporting import told
from tasks.step import RETRY_RULE, Work, cached_step, current_run
from tasks.ui import show_page


def fetch(corpus: CorpusSettings) -> Record:
    """Fetch the sentence pairs; where they can change on the network, today's version is asked for first."""
    if not fetching.can_change(corpus):
        return _fetch(corpus)
    pinned = _pin(corpus)
    record = _fetch(pinned)
    revision_file = current_run().workspace.revision_file(fetching.identity(corpus))
    revision_file.parent.mkdir(exist_ok=True)
    write_text_atomically(revision_file, pinned.revision)  # `plan` goes by it
    return record


@task(name="pin", cache_policy=NO_CACHE, **RETRY_RULE)
def _pin(corpus: CorpusSettings) -> CorpusSettings:
    """Ask the Hub, or the web server, which version there is today."""
    return fetching.pin(corpus)


@cached_step("fetch", identify=fetching.identity)
def _fetch(work: Work, corpus: CorpusSettings) -> Record:
    """Fetch the sentence pairs from where the corpus lies."""
    record = work()
    if corpus.train:  # else an evaluation's, which says nothing of the model's texts
        show_page("corpus", corpus_page(record.statistics), told(record))
    return record


@cached_step("clean")
def clean(work: Work, cleaning: CleaningSettings, fetched: Record) -> Record:
    """Drop the training pairs that would teach nothing, and count why."""
    record = work()
    if "train" in record.statistics["splits"]:
        show_page("cleaning", cleaning_page(record.statistics), told(record))
    return record
