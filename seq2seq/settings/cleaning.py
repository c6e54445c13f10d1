"""Settings of the `clean` step."""

from pydantic import Field

from seq2seq.settings.section import Section


class CleaningSettings(Section):
    """Which training pairs are dropped, and why. Validation and test pairs are only reported."""

    max_words: int = Field(
        default=100,
        ge=1,
        description="Longest sentence kept, in words, either side; a character is a word in scripts without spaces.",
    )
    max_characters: int = Field(default=1000, ge=1, description="Longest sentence kept, in characters, either side.")
    max_length_ratio: float = Field(
        default=9.0, ge=1, description="Largest ratio of the two sides' lengths in words that is kept."
    )
    drop_duplicates: bool = Field(default=True, description="Keep only the first of equal training pairs.")
    drop_copies: bool = Field(
        default=True, description="Drop pairs whose target repeats a source of two words or more."
    )
    drop_leaks: bool = Field(default=True, description="Drop training pairs that occur in validation or test.")
