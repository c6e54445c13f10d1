"""What a translator may be asked for, checked before any work is begun and before PyTorch is imported."""

from collections.abc import Iterable

from seq2seq.config import validate_config
from seq2seq.errors import ConfigError, CorpusError

PRECISIONS = ("auto", "bf16", "fp32", "int8")


def check_precision(precision: str) -> None:
    """Raises ConfigError for arithmetic that there is not."""
    if precision not in PRECISIONS:
        raise ConfigError(f"precision may be {', '.join(PRECISIONS)}, not {precision!r}.")


def check_search(beam_size: int, length_penalty: float, batch_sentences: int) -> None:
    """Raises ConfigError for what `seq2seq.settings.evaluation` does not allow."""
    asked = {"beam_size": beam_size, "length_penalty": length_penalty, "batch_sentences": batch_sentences}
    validate_config({"evaluation": asked}, "translation")


def check_n_best(count: int, beam_size: int) -> None:
    """Raises ConfigError for more translations of a sentence than the beam has hypotheses, or less than one."""
    if not 1 <= count <= beam_size:
        raise ConfigError(
            f"n_best may be 1 to beam_size ({beam_size}), not {count}: a wider beam finds more translations."
        )


def texts_of(sentences: Iterable[str]) -> list[str]:
    """The sentences, in a list.

    Raises TypeError for a single text, whose letters would be sentences, and CorpusError for a sentence that holds half
    of a character: JSON can spell one ("\\ud83d"), UTF-8 cannot.
    """
    if isinstance(sentences, str):
        raise TypeError("A translator takes a list of sentences, and this is one text: give [text].")
    texts = list(sentences)
    for number, text in enumerate(texts, 1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = text[error.start : error.end]
            raise CorpusError(
                f"Sentence {number:,} of {len(texts):,} holds half of a character, {half!r} at position "
                f"{error.start + 1:,}: it was cut between the two halves of a pair. Mend it where it comes from."
            ) from None
    return texts
