"""Settings of the `vocabulary` step."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from seq2seq.settings.section import Section


class VocabularySettings(Section):
    """What a token is, and how many there are. Learned from the training split only."""

    kind: Literal["word", "bpe", "unigram"] = Field(
        default="bpe",
        description="Whole words, or subwords: bpe (Sennrich et al. 2016, section 3.2) or unigram (Kudo 2018).",
    )
    size: int = Field(
        default=8000,
        ge=32,
        le=500_000,
        description="Largest number of tokens of each side (both together when joint).",
    )
    min_frequency: int = Field(
        default=2, ge=1, description="Rarer words (bpe: merges) get no token of their own; not for unigram."
    )
    joint: bool = Field(default=False, description="One vocabulary for source and target.")
    language_tags: bool = Field(
        default=False,
        description="One model for both directions: the first source token says into which language (Johnson et al. "
        "2017), and each training pair is used there and back; validation is from source to target alone. Needs joint.",
    )

    @field_validator("language_tags")
    @classmethod
    def _tags_need_one_vocabulary(cls, tags: bool, known: ValidationInfo) -> bool:
        if tags and not known.data.get("joint", True):
            raise ValueError(
                "both directions in one model need one vocabulary for both languages: set joint = true, or "
                "language_tags = false"
            )
        return tags
