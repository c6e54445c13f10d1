"""Tasks `fetch` and `clean`."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from seq2seq.corpora import fetching
from seq2seq.settings.cleaning import CleaningSettings
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.workspace.artifacts import Record
from seq2seq.workspace.planning import ASKED_REVISION
from tasks.pages import cleaning_page, corpus_page
from tasks.reporting import told
from tasks.step import RETRY_RULE, Work, cached_step, current_run
from tasks.ui import show_page


def fetch(corpus: CorpusSettings) -> Record:
    """Fetch the sentence pairs; where they can change on the network, today's version is asked for first."""
    return _fetch(_pin(corpus) if fetching.can_change(corpus) else corpus)


@task(name="pin", cache_policy=NO_CACHE, **RETRY_RULE)
def _pin(corpus: CorpusSettings) -> CorpusSettings:
    """Ask the Hub, or the web server, which version there is today."""
    return fetching.pin(corpus)


@cached_step("fetch", identify=fetching.identity)
def _fetch(work: Work, corpus: CorpusSettings) -> Record:
    """Fetch the sentence pairs from where the corpus lies."""
    record = _with_asked_revision(work(), corpus)
    if corpus.train:  # else an evaluation's, which says nothing of the model's texts
        show_page("corpus", corpus_page(record.statistics), told(record))
    return record


def _with_asked_revision(record: Record, corpus: CorpusSettings) -> Record:
    """The record, for a fetch from the Hub with the branch or tag that was asked for: `plan` goes by it."""
    if corpus.kind != "hub":
        return record
    asked = {ASKED_REVISION: current_run().config.corpus.revision}
    return record.model_copy(update={"statistics": record.statistics | asked})


@cached_step("clean")
def clean(work: Work, cleaning: CleaningSettings, fetched: Record) -> Record:
    """Drop the training pairs that would teach nothing, and count why."""
    record = work()
    if "train" in record.statistics["splits"]:
        show_page("cleaning", cleaning_page(record.statistics), told(record))
    return record
