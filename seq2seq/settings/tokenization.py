"""Settings of the `tokenize` step."""

from typing import Literal

from pydantic import Field

from seq2seq.settings.section import Section


class TokenizationSettings(Section):
    """How text is normalised and cut into words and punctuation before a vocabulary is learned."""

    normalization: Literal["nfc", "nfkc", "none"] = Field(default="nfc", description="Unicode normal form.")
    lowercase: bool = Field(default=False, description="Lower-case both sides: the model then only writes lower case.")
