"""Settings of the network, read by the `train` step."""

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq.settings.section import Section


class ModelSettings(Section):
    """The encoder-decoder. The defaults are the plain system of the lecture."""

    embedding_size: int = Field(256, ge=1, description="Size of the source and target embeddings.")
    encoder_hidden_size: int = Field(512, ge=1, description="Size of the encoder LSTM's state, per direction.")
    decoder_hidden_size: int = Field(512, ge=1, description="Size of the decoder LSTM's state.")
    encoder_layers: int = Field(1, ge=1, le=12, description="Layers of the encoder LSTM.")
    decoder_layers: int = Field(1, ge=1, le=12, description="Layers of the decoder LSTM.")
    bidirectional: bool = Field(False, description="Read the source in both directions.")
    reverse_source: bool = Field(
        False, description="Read the source from its end (Sutskever et al. 2014, section 3.3): helps without attention."
    )
    attention: Literal["none", "dot", "general", "additive"] = Field(
        "none",
        description="Score of Luong et al. 2015 (dot, general) or Bahdanau et al. 2015 (additive); none: lecture.",
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="On embeddings, between layers and on the attention's output.")
    tie_embeddings: bool = Field(
        False,
        description="Output layer shares the target embedding (Press & Wolf 2017), after a projection to its size.",
    )

    @property
    def encoder_output_size(self) -> int:
        """Size of what the encoder says about one position, directions side by side."""
        return self.encoder_hidden_size * (2 if self.bidirectional else 1)

    @property
    def feature_size(self) -> int:
        """Size of what the output layer reads: the embedding's when it is shared, else the decoder's."""
        return self.embedding_size if self.tie_embeddings else self.decoder_hidden_size

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        if self.attention == "dot" and self.encoder_output_size != self.decoder_hidden_size:
            raise ValueError(
                f"attention = dot compares states of one size, but the encoder gives {self.encoder_output_size} "
                f"and the decoder {self.decoder_hidden_size}: make them equal, or use general"
            )
        return self
