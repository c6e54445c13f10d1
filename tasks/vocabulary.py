"""Tasks `vocabulary` and `encode`."""

from seq2seq.artifacts import Record
from seq2seq.settings.vocabulary import VocabularySettings
from tasks.pages import vocabulary_page
from tasks.reporting import told
from tasks.step import Work, cached_step
from tasks.ui import show_page


@cached_step("vocabulary")
def build_vocabulary(work: Work, vocabulary: VocabularySettings, tokenized: Record) -> Record:
    """Learn the tokens from the training split."""
    record = work()
    show_page("vocabulary", vocabulary_page(record.statistics), told(record))
    return record


@cached_step("encode")
def encode(work: Work, tokenized: Record, vocabulary: Record) -> Record:
    """Turn text into token ids."""
    return work()
