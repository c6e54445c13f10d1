import pytest

from seq2seq.settings.training import TrainingSettings
from seq2seq.training.schedule import learning_rate, steps_by_settings, steps_in_time


def rate(step: int, planned: int = 1000, **settings: object) -> float:
    return learning_rate(TrainingSettings(learning_rate=0.01, warmup_steps=100, **settings), step, planned)


@pytest.mark.parametrize("schedule", ["cosine", "inverse_sqrt", "constant"])
def test_the_rate_rises_in_equal_steps_to_its_peak(schedule: str) -> None:
    assert rate(1, schedule=schedule) == pytest.approx(0.0001)
    assert rate(50, schedule=schedule) == pytest.approx(0.005)
    assert rate(100, schedule=schedule) == pytest.approx(0.01)


def test_a_cosine_falls_to_a_twentieth_at_the_planned_end_and_stays_there() -> None:
    assert rate(550) == pytest.approx((0.01 + 0.0005) / 2)
    assert rate(1000) == rate(1200) == pytest.approx(0.0005)


def test_a_cosine_without_a_planned_end_stays_at_its_peak() -> None:
    assert rate(700, planned=0) == 0.01


def test_the_inverse_square_root_halves_at_four_times_the_warm_up() -> None:
    assert rate(400, schedule="inverse_sqrt") == pytest.approx(0.005)


def test_without_warm_up_the_first_step_has_the_peak_rate() -> None:
    assert learning_rate(TrainingSettings(learning_rate=0.01, warmup_steps=0), 1, 10) == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize(
    ("max_steps", "max_epochs", "end"), [(0, 0, 0), (70, 0, 70), (0, 3, 60), (70, 3, 60), (50, 3, 50)]
)
def test_the_nearer_of_two_limits_is_the_planned_end(max_steps: int, max_epochs: int, end: int) -> None:
    assert steps_by_settings(TrainingSettings(max_steps=max_steps, max_epochs=max_epochs), 20) == end


def test_a_time_budget_pays_for_its_validations() -> None:
    # 10.01 s, less one validation of 1 s at the end, at 0.1 s a step and another second every 20 steps: 9.01 / 0.15
    assert steps_in_time(10.01, 0.1, 1.0, 20) == 60


def test_a_budget_too_short_for_anything_still_gives_one_step() -> None:
    assert steps_in_time(0.1, 1.0, 5.0, 20) == 1
