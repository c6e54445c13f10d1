"""How a training is shown."""

import io
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from seq2seq.config import Config
from seq2seq.storage.artifacts import Workspace
from seq2seq.training.progress import Progress
from tasks import progress
from tasks.progress import Bar, TrainingDisplay, clock, describe, position
from tasks.step import pipeline_run

EVENT = Progress(
    step=1200,
    planned_steps=4000,
    epoch=3,
    loss=2.3456,
    tokens_per_second=4321.0,
    learning_rate=0.001,
    seconds_left=200.0,
    valid_bleu=31.26,
    best_bleu=31.26,
)


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Lines that the display says, and updates of the artifact, in order, inside a run."""
    lines: list[str] = []
    monkeypatch.setattr(progress, "say", lines.append)
    monkeypatch.setattr(progress, "create_progress_artifact", lambda *_, **__: "artifact")
    monkeypatch.setattr(
        progress, "update_progress_artifact", lambda _, progress, description: lines.append(f"{progress:.0f} %")
    )
    with pipeline_run(Workspace(tmp_path), Config()):
        yield lines


def test_a_message_is_told_in_one_line() -> None:
    assert position(EVENT) == "1,200/4,000"
    assert describe(EVENT) == "epoch 3  loss 2.346  4,321 tokens/s  validation BLEU 31.3  best 31.3  3:20 left"


def test_what_is_not_known_yet_is_left_out() -> None:
    event = Progress(step=5, planned_steps=0, epoch=1, loss=9.0, tokens_per_second=100.0, learning_rate=0.001)

    assert position(event) == "5"
    assert describe(event) == "epoch 1  loss 9.000  100 tokens/s"


@pytest.mark.parametrize(("seconds", "told"), [(0.4, "0:00"), (61, "1:01"), (3723, "1:02:03")])
def test_time_is_told_as_on_a_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told


def test_an_update_that_failed_is_not_tried_again_soon(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        said.append("tried")
        raise ConnectionError

    monkeypatch.setattr(progress, "update_progress_artifact", refuse)
    monkeypatch.setattr(progress, "said_only", lambda what: suppress(ConnectionError))
    monkeypatch.setattr(progress, "ARTIFACT_SECONDS", 0.0)

    with TrainingDisplay() as display:
        for _ in range(3):
            display(EVENT)

    assert said.count("tried") == 1


def test_without_a_terminal_lines_are_said_and_the_artifact_is_updated_rarely(said: list[str]) -> None:
    with TrainingDisplay() as display:
        for _ in range(3):
            display(EVENT)

    assert [line.split(" ")[0] for line in said] == ["train", "30", "train", "train", "100"]


def test_a_training_that_ends_with_an_error_is_not_shown_as_done(said: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), TrainingDisplay():
        raise KeyboardInterrupt

    assert said == []


def test_on_a_terminal_there_is_a_bar_and_a_line_for_each_validation(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    with TrainingDisplay() as display:
        display(replace(EVENT, valid_bleu=None))
        display(EVENT)

    assert [line for line in said if line.startswith("train")] == [
        "train      step 1,200/4,000  epoch 3  loss 2.346  4,321 tokens/s  validation BLEU 31.3  best 31.3  3:20 left"
    ]
    assert "1,200/4,000  loss 2.35  4,321 tokens/s  BLEU 31.3  3:20 left" in terminal.getvalue()


def test_a_warm_up_that_is_half_of_the_training_or_more_is_said_once(said: list[str]) -> None:
    planned_later = [replace(EVENT, planned_steps=planned) for planned in (0, 160, 160)]

    with TrainingDisplay(80) as display:
        for event in planned_later:
            display(event)

    assert [line for line in said if "warm-up" in line] == [
        "train      a warm-up of 80 steps is long for a training of 160: training.warmup_steps=16 would be a tenth"
    ]


def test_a_shorter_warm_up_is_not_spoken_of(said: list[str]) -> None:
    with TrainingDisplay(79) as display:
        display(replace(EVENT, planned_steps=160))

    assert not any("warm-up" in line for line in said)


def test_where_there_is_no_terminal_there_is_no_bar() -> None:
    with Bar("evaluate") as bar:
        assert bar.show(1, 2) is False


def test_before_the_first_update_there_is_neither_loss_nor_speed() -> None:
    event = replace(EVENT, step=0, loss=math.nan, tokens_per_second=0.0, seconds_left=None)

    assert describe(event) == "epoch 3  validation BLEU 31.3  best 31.3"
