"""How long a training is, and how its learning rate runs."""

import math

from seq2seq.settings.training import TrainingSettings

FLOOR = 0.05
"""Share of the peak learning rate at which a cosine ends."""


def learning_rate(settings: TrainingSettings, step: int, planned_steps: int) -> float:
    """Rate of update number `step` (from 1).

    Linear warm-up; then cosine (Loshchilov & Hutter 2017, without restarts), the inverse square root of the step
    (Vaswani et al. 2017, section 5.3) or a constant. While no end is known a cosine stays at its peak.
    """
    peak, warmup = settings.learning_rate, settings.warmup_steps
    if step < warmup:
        return peak * step / warmup
    if settings.schedule == "inverse_sqrt":
        return peak * math.sqrt(max(1, warmup) / step)
    if settings.schedule == "cosine" and planned_steps > warmup:
        progress = min(1.0, (step - warmup) / (planned_steps - warmup))
        return peak * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * progress)) / 2)
    return peak


def steps_by_settings(settings: TrainingSettings, steps_per_epoch: int) -> int:
    """The end that `max_steps` and `max_epochs` set, in steps; 0 when neither does."""
    ends = [settings.max_steps, settings.max_epochs * steps_per_epoch]
    return min((end for end in ends if end), default=0)


def steps_in_time(seconds_left: float, seconds_per_step: float, seconds_per_validation: float, interval: int) -> int:
    """How many steps fit, with a validation every `interval` steps and one at the end."""
    share = seconds_per_step + seconds_per_validation / interval
    return max(1, int((seconds_left - seconds_per_validation) / share))
