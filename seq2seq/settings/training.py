"""Settings of the optimisation, read by the `train` step."""

from typing import Literal

from pydantic import Field

from seq2seq.settings.section import Section

EQUAL_BLEU = 0.5
"""Within this of the highest BLEU the loss decides, whose noise is far smaller: between the weights of each validation
and the best that were kept until then."""


class TrainingSettings(Section):
    """How the model is trained. Whichever limit comes first ends a training, and its best model is the result."""

    seed: int = Field(
        default=1,
        ge=0,
        description="Seed of the weights, the order of batches, dropout, teacher forcing and words cut at random.",
    )
    learning_rate: float = Field(
        default=1e-3, gt=0, le=1, description="Peak learning rate of AdamW (Loshchilov & Hutter 2019)."
    )
    warmup_steps: int = Field(default=200, ge=0, description="Steps of linear warm-up.")
    schedule: Literal["cosine", "inverse_sqrt", "constant"] = Field(
        default="cosine",
        description="Decay after the warm-up: cosine (Loshchilov & Hutter 2017) down to 5 % of the peak at the planned "
        "end, inverse_sqrt of the step (Vaswani et al. 2017), or constant.",
    )
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's decoupled weight decay.")
    max_gradient_norm: float = Field(
        default=1.0, gt=0, description="Gradients are scaled down to this norm (Pascanu et al. 2013, section 3.2)."
    )
    label_smoothing: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Mass moved from the right token to all tokens (Szegedy et al. 2016, section 7).",
    )
    r_drop: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="R-Drop (Liang et al. 2021): each batch goes through the network twice with different dropout, and "
        "alpha times the divergence of both predictions is added to the loss; 0: once. Twice the time per step.",
    )
    teacher_forcing_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of decoder inputs that are the ground truth (scheduled sampling, Bengio et al. 2015); 1 "
        "runs the target in one call, but for model.input_feeding.",
    )
    batch_tokens: int = Field(
        default=1000,
        ge=1,
        description="Target tokens of a batch, end marks counted and padding not: at most, or "
        "about this number where words are cut anew. A longer pair is a batch by itself.",
    )
    subword_dropout: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="bpe: probability that a merge is left out when words are cut, anew in each epoch (BPE-dropout, "
        "Provilkov et al. 2020); 0: words are cut as in translation.",
    )
    subword_temperature: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="unigram: words are cut at random, anew in each epoch, in proportion to P^(1/temperature) (Kudo "
        "2018, where 1/temperature is alpha); 0: words are cut as in translation.",
    )
    average_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay per step of the exponential moving average of the weights (after Polyak & Juditsky 1992; in "
        "the place of an average of checkpoints), which is validated and published; 0: no average. After n steps it is "
        "(1 + n) / (10 + n) at most, so that 0.998 counts from step 4,490 on.",
    )
    max_epochs: int = Field(default=30, ge=0, description="Passes over the training pairs; 0: no limit.")
    max_steps: int = Field(default=0, ge=0, description="Updates of the weights; 0: no limit.")
    max_minutes: float = Field(
        default=0.0,
        ge=0,
        description="Time budget, turned into planned steps once the speed is known, and into fewer while the "
        "machine is slower; 0: no limit.",
    )
    validations_per_epoch: float = Field(
        default=1.0, gt=0, le=100, description="How often validation BLEU is measured."
    )
    patience: int = Field(
        default=10, ge=1, description="Validations with neither a better BLEU nor a lower loss before training stops."
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="bf16: autocast, an error on a processor without it; auto: bf16 where the processor computes in "
        "it, else fp32.",
    )
    bleu_tokenizer: Literal["13a", "intl", "char", "none", "zh"] = Field(
        default="13a",
        title="BLEU tokenizer",
        description="sacreBLEU's tokenizer of the validation BLEU; char or zh for unspaced scripts.",
    )
