"""Settings of the network, read by the `train` step."""

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq.settings.section import Section


class ModelSettings(Section):
    """The encoder-decoder. The defaults are the plain system of the lecture, which reads the source from its beginning.

    One flat section: settings that begin with `transformer:` or `recurrent:` count for that architecture alone, and
    have no effect on the other, so that `architecture` can be changed by itself.
    """

    architecture: Literal["lstm", "gru", "transformer"] = Field(
        default="lstm",
        description="lstm (Hochreiter & Schmidhuber 1997), gru (Cho et al. 2014), or pre-norm transformer (Vaswani et "
        "al. 2017; Xiong et al. 2020).",
    )
    embedding_size: int = Field(
        default=256, ge=1, description="Size of the source and target embeddings; of every layer of a transformer."
    )
    encoder_layers: int = Field(default=1, ge=1, le=24, description="Layers of the encoder.")
    decoder_layers: int = Field(default=1, ge=1, le=24, description="Layers of the decoder.")
    encoder_hidden_size: int = Field(
        default=512, ge=1, description="recurrent: size of the encoder's state, per direction."
    )
    decoder_hidden_size: int = Field(default=512, ge=1, description="recurrent: size of the decoder's state.")
    bidirectional: bool = Field(default=False, description="recurrent: read the source in both directions.")
    reverse_source: bool = Field(
        default=False,
        description="recurrent: read the source from its end (Sutskever et al. 2014, section 3.3): helps without "
        "attention.",
    )
    attention: Literal["none", "dot", "general", "additive"] = Field(
        default="none",
        description="recurrent: score of Luong et al. 2015 (dot, general) or Bahdanau et al. 2015 (additive); none: "
        "no attention.",
    )
    input_feeding: bool = Field(
        default=False,
        description="recurrent: the attention's output is part of the next step's input (Luong et al. 2015, section "
        "3.3); the decoder then runs step by step in training, too.",
    )
    attend_embeddings: bool = Field(
        default=False,
        description="recurrent: attention gives the mean of the source embeddings beside that of the encoder's states, "
        "so that a word leads to its translation directly (after Nguyen & Chiang 2018, section 4, who add a layer).",
    )
    layer_norm: bool = Field(
        default=False,
        description="recurrent: layer normalisation (Ba et al. 2016) of what each layer reads and of the readout.",
    )
    residual: bool = Field(
        default=False,
        description="recurrent: a layer above the first adds what it reads to what it gives (Wu et al. 2016, section "
        "3.1); needs more than one layer.",
    )
    attention_heads: int = Field(default=4, ge=1, le=64, description="transformer: heads of every attention.")
    feedforward_size: int = Field(default=1024, ge=1, description="transformer: inner size of the feed-forward layers.")
    dropout: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="On embeddings, between layers, on the encoder's and the attention's output; transformer: on "
        "embeddings and on what each sub-layer adds.",
    )
    variational_dropout: bool = Field(
        default=False,
        description="recurrent: one dropout mask for all positions of a sentence (Gal & Ghahramani 2016); with "
        "training.teacher_forcing_ratio below 1 the decoder draws one for each position.",
    )
    source_word_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of source tokens whose whole embedding is zero (Sennrich et al. 2016, WMT).",
    )
    target_word_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="The same of the tokens that the decoder reads."
    )
    tie_embeddings: bool = Field(
        default=False,
        description="Output layer shares the target embedding (Press & Wolf 2017), after a projection to its size.",
    )
    share_embeddings: bool = Field(
        default=False,
        description="Source and target share one embedding (with tie_embeddings three-way, Press & Wolf 2017, section "
        "5); needs vocabulary.joint.",
    )

    @property
    def encoder_output_size(self) -> int:
        """Size of what the encoder says about one position, directions side by side."""
        return self.encoder_hidden_size * (2 if self.bidirectional else 1)

    @property
    def context_size(self) -> int:
        """Size of what a recurrent network's attention gives for one target position; 0 without attention."""
        if self.attention == "none":
            return 0
        return self.encoder_output_size + (self.embedding_size if self.attend_embeddings else 0)

    @property
    def feature_size(self) -> int:
        """Size of what a recurrent network's output layer reads: the embedding's if tied, else the decoder's."""
        return self.embedding_size if self.tie_embeddings else self.decoder_hidden_size

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        if self.architecture == "transformer":
            if self.embedding_size % self.attention_heads:
                raise ValueError(
                    f"attention_heads = {self.attention_heads} does not divide embedding_size = {self.embedding_size}: "
                    "each head has an equal part of a transformer's size"
                )
            return self
        if self.input_feeding and self.attention == "none":
            raise ValueError(
                "input_feeding = true feeds the attention's output to the next step, and attention is none: set "
                "attention to general, dot or additive, or input_feeding = false"
            )
        if self.attend_embeddings and self.attention == "none":
            raise ValueError(
                "attend_embeddings = true widens what attention gives, and attention is none: set attention to "
                "general, dot or additive, or attend_embeddings = false"
            )
        if self.attention == "dot" and self.encoder_output_size != self.decoder_hidden_size:
            raise ValueError(
                f"attention = dot compares states of one size, but the encoder gives {self.encoder_output_size} "
                f"and the decoder {self.decoder_hidden_size}: make them equal, or use general"
            )
        return self
