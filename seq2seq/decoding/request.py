"""What a translator may be asked for, checked before any work is begun and before PyTorch is imported."""

from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any

from seq2seq.config import validate_config
from seq2seq.errors import ConfigError, CorpusError

PRECISIONS = ("auto", "bf16", "fp32", "int8")


def check_precision(precision: str) -> None:
    """Raises ConfigError for arithmetic that there is not."""
    if precision not in PRECISIONS:
        raise ConfigError(f"precision may be {', '.join(PRECISIONS)}, not {precision!r}.")


def check_search(beam_size: int, length_penalty: float, batch_sentences: int) -> None:
    """Raises ConfigError for what `seq2seq.settings.evaluation` does not allow, and for what is no number."""
    _check_number("beam_size", beam_size, Integral)
    _check_number("length_penalty", length_penalty, Real)
    _check_number("batch_sentences", batch_sentences, Integral)
    asked = {"beam_size": beam_size, "length_penalty": length_penalty, "batch_sentences": batch_sentences}
    validate_config({"evaluation": asked}, "translation")


def check_n_best(count: int, beam_size: int) -> None:
    """Raises ConfigError for more translations of a sentence than the beam has hypotheses, or less than one."""
    _check_number("n_best", count, Integral)
    if not 1 <= count <= beam_size:
        raise ConfigError(
            f"n_best may be 1 to beam_size ({beam_size}), not {count}: a wider beam finds more translations."
        )


def _check_number(name: str, value: object, kind: type[Any]) -> None:
    """Settings may be text that spells a number; what is handed to a function is used as it is."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ConfigError(f"{name} has to be a {'whole ' if kind is Integral else ''}number, not {value!r}.")


def texts_of(sentences: Iterable[str]) -> list[str]:
    """The sentences, in a list.

    Raises TypeError for a single text, whose letters would be sentences, and for a sentence that is no text;
    CorpusError for one that holds half of a character: JSON can spell it ("\\ud83d"), UTF-8 cannot.
    """
    texts = list(_no_text(sentences))
    for number, text in enumerate(texts, 1):
        _check_halves(number, text)
    return texts


def chunks_of(sentences: Iterable[str], size: int) -> Iterator[list[str]]:
    """The sentences in lists of `size`, read as they are asked for; errors are those of `texts_of`.

    What comes before a sentence that holds half of a character is given before the error is raised.
    """
    chunk: list[str] = []
    for number, text in enumerate(_no_text(sentences), 1):
        try:
            _check_halves(number, text)
        except CorpusError:
            yield chunk
            raise
        chunk.append(text)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _no_text(sentences: Iterable[str]) -> Iterable[str]:
    if isinstance(sentences, str):
        raise TypeError("A translator takes a list of sentences, and this is one text: give [text].")
    return sentences


def _check_halves(number: int, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"Sentence {number:,} is no text but {text!r}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start : error.end]
        raise CorpusError(
            f"Sentence {number:,} holds half of a character, {half!r} at position {error.start + 1:,}: it was cut "
            "between the two halves of a pair. Mend it where it comes from."
        ) from None
