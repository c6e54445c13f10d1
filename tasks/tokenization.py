"""Task `tokenize`."""

from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.storage.artifacts import Record
from tasks.step import Work, cached_step


@cached_step("tokenize")
def tokenize(work: Work, tokenization: TokenizationSettings, cleaned: Record) -> Record:
    """Normalise the text and cut it into words and punctuation."""
    return work()
