"""What a training says of itself while it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A message to whoever watches. Losses are nats per target token, speeds target tokens per second."""

    step: int
    planned_steps: int
    """0 while a time budget has not been turned into steps."""
    epoch: int
    loss: float
    """Not a number before the first update."""
    tokens_per_second: float
    learning_rate: float
    seconds_left: float | None = None
    valid_bleu: float | None = None
    """Set in the one message that reports a validation."""
    best_bleu: float | None = None
    """On the validation split, of the weights that would be published now: of nearly equal scores those with the lower
    loss, so that it may fall a little."""
