"""Settings of retraining: when a challenger takes the champion's place."""

from typing import Literal

from pydantic import Field

from seq2seq.settings.section import Section


class PromotionSettings(Section):
    """What a retrained model (the challenger) has to show against the one in use (the champion)."""

    policy: Literal["better", "not_worse", "always"] = Field(
        default="better",
        description="better: significantly better BLEU on the test set; not_worse: not significantly worse; "
        "always: any challenger.",
    )
    level: float = Field(
        default=0.05, gt=0, lt=0.5, description="Significance level of the paired bootstrap test (Koehn 2004)."
    )
    warm_start: bool = Field(
        default=False,
        description="Start the challenger from the champion's weights, with its vocabulary, where languages, network "
        "(but for its dropout) and the sections vocabulary and tokenization are equal.",
    )
