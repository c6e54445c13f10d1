"""Which of several validated weights are published, and when patience ends a training."""

import pytest

from seq2seq.training.position import Position

Scores = list[tuple[float, float]]
"""BLEU and nats of one validation after another, at steps 1, 2, ..."""


def judged(scores: Scores, patience: int = 10, first_step: int = 1) -> tuple[Position, list[bool]]:
    """The position after validations with these scores, and what it said of each."""
    position, said = Position(), []
    for step, (bleu, nats) in enumerate(scores, start=first_step):
        position.step = step
        said.append(position.judge(bleu, nats, patience))
    return position, said


@pytest.mark.parametrize(
    ("scores", "best_step"),
    [
        ([(10, 3.0), (12, 2.8), (11, 2.9)], 2),
        ([(30.0, 2.0), (29.6, 1.9)], 2),  # within half a point the loss decides
        ([(30.0, 2.0), (29.4, 1.9)], 1),
        ([(29.8, 1.9), (30.0, 2.0)], 1),
        ([(29.0, 1.9), (30.0, 2.0)], 2),
        ([(29.8, 1.9), (30.4, 2.0)], 2),  # the former best is too far behind by now, whatever its loss
        ([(30.0, 2.0), (29.7, 1.9), (30.3, 2.1)], 3),
        ([(0.0, 5.0)], 1),
    ],
)
def test_near_the_highest_bleu_the_loss_decides_between_new_weights_and_those_kept_so_far(
    scores: Scores, best_step: int
) -> None:
    position, said = judged(scores)
    assert (position.best_bleu, position.best_nats) == scores[best_step - 1]
    assert position.best_step == best_step == max(step for step, best in enumerate(said, start=1) if best)


def test_what_scores_less_than_the_parent_never_takes_its_place() -> None:
    position, said = judged([(30.0, 2.0), (29.9, 1.5), (30.0, 1.8)], first_step=0)
    assert said == [True, False, True]
    assert (position.best_step, position.parent_bleu) == (2, 30.0)


@pytest.mark.parametrize(
    ("scores", "stopped_by"),
    [
        ([(1, 3.0), (1, 3.0), (1, 3.0)], "patience"),
        ([(1, 3.0), (1, 3.0), (1, 2.9)], ""),  # a lower loss is a gain
        ([(1, 3.0), (1, 3.0), (2, 3.1)], ""),  # so is a higher BLEU
        ([(1, 3.0), (0, 3.1)], ""),
    ],
)
def test_patience_ends_after_so_many_validations_in_a_row_without_a_gain(scores: Scores, stopped_by: str) -> None:
    assert judged(scores, patience=2)[0].stopped_by == stopped_by


def test_a_training_that_has_ended_for_another_reason_keeps_that_reason() -> None:
    position = Position(stopped_by="clock")
    position.judge(1.0, 3.0, patience=1)
    position.judge(1.0, 3.0, patience=1)
    assert position.stopped_by == "clock"
