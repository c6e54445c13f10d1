"""Tasks `vocabulary` and `encode`."""

from seq2seq.artifacts import Record
from seq2seq.settings.vocabulary import VocabularySettings
from tasks.step import Work, cached_step


@cached_step("vocabulary")
def build_vocabulary(work: Work, vocabulary: VocabularySettings, tokenized: Record) -> Record:
    """Learn the tokens from the training split."""
    return work()


@cached_step("encode")
def encode(work: Work, tokenized: Record, vocabulary: Record) -> Record:
    """Turn text into token ids."""
    return work()
