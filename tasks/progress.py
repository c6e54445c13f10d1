"""How a training is going: a bar on a terminal, lines elsewhere, and a progress artifact in Prefect's UI."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Self, cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tasks.reporting import said_only, say
from tasks.ui import artifact_key

if TYPE_CHECKING:
    from seq2seq.evaluation import EvaluationProgress
    from seq2seq.training.progress import Progress as TrainingProgress

ARTIFACT_SECONDS = 10.0
"""An update of the artifact takes 35 to 75 ms: at most one in this time."""
SERVER_AWAY_SECONDS = 600.0
"""Pause after an update that failed: Prefect tries it for minutes, in which the training stands still."""


class Bar:
    """A progress bar on a terminal; nothing where standard error is none."""

    def __init__(self, name: str) -> None:
        self._progress = _progress() if sys.stderr.isatty() else None
        self._row = self._progress.add_task(name, total=None, text="") if self._progress else None

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress:
            self._progress.stop()

    def show(self, done: int, total: int, text: str = "") -> bool:
        """Move the bar (`total` 0: unknown); False when there is none."""
        if self._progress is None or self._row is None:
            return False
        self._progress.update(self._row, completed=done, total=total or None, text=text)
        return True


class EvaluationDisplay(Bar):
    """Shows how many test sentences are translated."""

    def __init__(self) -> None:
        super().__init__("evaluate")

    def __call__(self, event: EvaluationProgress) -> None:
        """Show one message."""
        self.show(event.sentences, event.of, f"{event.sentences:,}/{event.of:,} sentences")


class TrainingDisplay(Bar):
    """Shows a training on the console and, as a progress artifact, in Prefect's UI.

    A warm-up of half the training or more is pointed out, once, when it is known how long the training is.
    """

    def __init__(self, warmup_steps: int = 0) -> None:
        super().__init__("train")
        self._warmup_steps = warmup_steps
        self._artifact: UUID | None = None
        self._shown = 0.0

    def __enter__(self) -> Self:
        with said_only("progress"):
            made = create_progress_artifact(0.0, key=artifact_key("training-progress"), description="starting")
            self._artifact = cast(UUID, made)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if error[0] is None and time.monotonic() >= self._shown:
            self._publish(100.0, "done")

    def __call__(self, event: TrainingProgress) -> None:
        """Show one message."""
        self._judge_warmup(event.planned_steps)
        text = describe(event)
        if not self.show(event.step, event.planned_steps, brief(event)) or event.valid_bleu is not None:
            say(f"{'train':<10} step {position(event)}  {text}")
        if time.monotonic() - self._shown >= ARTIFACT_SECONDS:
            share = 100 * event.step / event.planned_steps if event.planned_steps else 0.0
            self._publish(min(share, 100.0), f"step {position(event)}  {text}")

    def _judge_warmup(self, planned: int) -> None:
        if not planned:
            return
        if 2 * self._warmup_steps >= planned:
            say(
                f"{'train':<10} a warm-up of {self._warmup_steps:,} steps is long for a training of {planned:,}: "
                f"training.warmup_steps={max(1, planned // 10)} would be a tenth"
            )
        self._warmup_steps = 0

    def _publish(self, percent: float, description: str) -> None:
        if self._artifact is None:
            return
        self._shown = time.monotonic() + SERVER_AWAY_SECONDS
        with said_only("progress"):
            update_progress_artifact(self._artifact, progress=percent, description=description)
            self._shown = time.monotonic()


def position(event: TrainingProgress) -> str:
    """`120/4,000`, or `120` where no end is planned yet."""
    planned = f"/{event.planned_steps:,}" if event.planned_steps else ""
    return f"{event.step:,}{planned}"


def brief(event: TrainingProgress) -> str:
    """What fits beside a bar on a terminal of 80 columns."""
    parts = [position(event), *pace(event, 2)]
    if event.best_bleu is not None:
        parts.append(f"BLEU {event.best_bleu:.1f}")
    if event.seconds_left is not None:
        parts.append(f"{clock(event.seconds_left)} left")
    return "  ".join(parts)


def describe(event: TrainingProgress) -> str:
    """Epoch, loss, speed, time left, and BLEU on the validation set."""
    parts = [f"epoch {event.epoch}", *pace(event, 3)]
    if event.valid_bleu is not None:
        parts.append(f"validation BLEU {event.valid_bleu:.1f}")
    if event.best_bleu is not None:
        parts.append(f"best {event.best_bleu:.1f}")
    if event.seconds_left is not None:
        parts.append(f"{clock(event.seconds_left)} left")
    return "  ".join(parts)


def pace(event: TrainingProgress, digits: int) -> list[str]:
    """Loss and speed; nothing before the first update."""
    if math.isnan(event.loss):
        return []
    return [f"loss {event.loss:.{digits}f}", f"{event.tokens_per_second:,.0f} tokens/s"]


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=8), TextColumn("{task.fields[text]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)
