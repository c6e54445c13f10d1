"""Tasks `vocabulary` and `encode`."""

from seq2seq.pipeline import INHERITED
from seq2seq.settings.vocabulary import VocabularySettings
from seq2seq.storage.artifacts import Record
from tasks.pages import vocabulary_page
from tasks.reporting import told
from tasks.step import Work, cached_step
from tasks.ui import show_page


def build_vocabulary(vocabulary: VocabularySettings, tokenized: Record, parent: Record | None = None) -> Record:
    """Learn the tokens from the training split; or take them over from the model that the training goes on from."""
    return _learn(vocabulary, tokenized) if parent is None else _inherit(tokenized, parent)


@cached_step("vocabulary")
def _learn(work: Work, vocabulary: VocabularySettings, tokenized: Record) -> Record:
    """Learn the tokens from the training split."""
    return _shown(work)


@cached_step(INHERITED)
def _inherit(work: Work, tokenized: Record, parent: Record) -> Record:
    """Take the tokens over from the parent."""
    return _shown(work)


def _shown(work: Work) -> Record:
    record = work()
    show_page("vocabulary", vocabulary_page(record.statistics), told(record))
    return record


@cached_step("encode")
def encode(work: Work, tokenized: Record, vocabulary: Record) -> Record:
    """Turn text into token ids."""
    return work()
