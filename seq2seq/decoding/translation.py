"""What a translation is, for who has one and no PyTorch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Translation:
    """A translated sentence."""

    text: str
    """One line, without white space at its ends."""
    source_tokens: int = 0
    """Without a language tag."""
    target_tokens: int = 0
    unknown_tokens: int = 0
    """Source tokens that the vocabulary does not have."""
    at_limit: bool = False
    """The translation ended because it may be no longer (see `longest_translation`)."""
    score: float | None = None
    """Of beam search (`seq2seq.decoding.beam_search.Hypothesis`); None of greedy search, 0 without a search."""
