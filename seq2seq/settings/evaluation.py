"""Settings of the `evaluate` step."""

from typing import Literal

from pydantic import Field

from seq2seq.settings.section import Section


class EvaluationSettings(Section):
    """How test sentences are decoded and scored."""

    beam_size: int = Field(default=5, ge=1, le=64, description="Hypotheses kept per sentence; 1 is greedy.")
    length_penalty: float = Field(
        default=1.0, ge=0, le=5, description="Exponent of the length that divides a hypothesis' log-probability."
    )
    batch_sentences: int = Field(default=128, ge=1, description="Sentences decoded together.")
    int8: bool = Field(default=True, description="Measure BLEU with int8 arithmetic too, on the CPU: what speed costs.")
    bleu_tokenizer: Literal["13a", "intl", "char", "none", "zh"] = Field(
        default="13a",
        title="BLEU tokenizer",
        description="sacreBLEU's tokenizer of the headline score; char or zh for unspaced scripts.",
    )
    bootstrap_samples: int = Field(
        default=1000, ge=100, le=100_000, description="Resamples of the 95 % interval and of the paired test."
    )
