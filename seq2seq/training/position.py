"""Where a training stands, and what a validation changes in that."""

import math
from dataclasses import dataclass, field

from seq2seq.settings.training import EQUAL_BLEU


@dataclass
class Position:
    """Plain values, stored in the checkpoint as they are."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch that are done."""
    planned_steps: int = 0
    steps_on_time: int = 0
    """As many as were planned when the speed was measured first, where a time budget sets the end."""
    tokens: int = 0
    seconds: float = 0.0
    """Of the whole training, validations included."""
    update_seconds: float = 0.0
    best_bleu: float = -1.0
    best_step: int = 0
    best_nats: float = math.inf
    """Of the weights that would be published now."""
    highest_bleu: float = -1.0
    least_nats: float = math.inf
    """Of all validations."""
    parent_bleu: float = -1.0
    """Of the weights that the training started from, where these are a candidate."""
    validations_without_gain: int = 0
    validation_due: bool = False
    """A validation of these very weights has not been finished."""
    stopped_by: str = ""
    history: list[dict[str, float]] = field(default_factory=list)

    def advance(self, target_tokens: int, steps_per_epoch: int) -> None:
        """One more batch is done."""
        self.tokens += target_tokens
        self.batch += 1
        if self.batch == steps_per_epoch:
            self.epoch, self.batch = self.epoch + 1, 0

    def judge(self, bleu: float, nats: float, patience: int) -> bool:
        """Take in the scores of these weights; gives whether they are the ones to publish now.

        The training ends after `patience` validations of which none had a higher BLEU or a lower loss than all before.
        """
        gained = bleu > self.highest_bleu or nats < self.least_nats
        self.validations_without_gain = 0 if gained else self.validations_without_gain + 1
        self.highest_bleu, self.least_nats = max(bleu, self.highest_bleu), min(nats, self.least_nats)
        if self.step == 0:
            self.parent_bleu = bleu
        if self.validations_without_gain >= patience:
            self.stopped_by = self.stopped_by or "patience"
        worst_bleu = max(self.highest_bleu - EQUAL_BLEU, self.parent_bleu)
        best = bleu >= worst_bleu and (nats < self.best_nats or self.best_bleu < worst_bleu)
        if best:
            self.best_bleu, self.best_nats, self.best_step = bleu, nats, self.step
        return best

    @property
    def validations(self) -> list[dict[str, float]]:
        """The entries of the history that are validations."""
        return [entry for entry in self.history if "valid_bleu" in entry]
