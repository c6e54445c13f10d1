"""Which models have been decided on: from the history alone."""

from typing import Any

import pytest

from seq2seq.registry.champions import Decision, taken_back
from seq2seq.registry.retraining import rules, settled
from seq2seq.settings.promotion import PromotionSettings

A, B, C = "a" * 32, "b" * 32, "c" * 32
BETTER = PromotionSettings()


def decision(action: Any, model: str, **values: Any) -> Decision:
    return Decision(action=action, model=model, name="demo", by="retrain", at="2026-11-22T03:00:00+00:00", **values)


def refused(model: str, against: str, test: str = "t", promotion: PromotionSettings = BETTER) -> Decision:
    return decision("refused", model, against=against, test=test, comparison=rules(promotion), why="as good")


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([], ""),
        ([decision("promoted", B)], "nothing changed since 2026-11-22T03:00:00+00:00: this corpus"),
        ([decision("promoted", A)], ""),
        ([decision("promoted", A), refused(B, A)], "nothing changed since 2026-11-22T03:00:00+00:00: model bbbb"),
        ([decision("promoted", A), refused(B, A, test="other")], ""),
        ([decision("promoted", A), refused(B, A, promotion=PromotionSettings(policy="not_worse"))], ""),
        ([decision("promoted", A), refused(B, A, promotion=PromotionSettings(level=0.01))], ""),
        ([decision("promoted", A), refused(B, C)], ""),
        ([decision("promoted", A), decision("promoted", B), decision("rolled_back", A)], "model bbbb"),
        ([decision("promoted", B), decision("promoted", A)], ""),
    ],
    ids=[
        "no model yet",
        "the champion itself",
        "another champion",
        "refused before",
        "refused on other test pairs",
        "refused under another policy",
        "refused at another level",
        "refused against another champion",
        "rolled back",
        "replaced since",
    ],
)
def test_a_model_is_settled_when_nothing_new_can_be_said_of_it(history: list[Decision], told: str) -> None:
    why = settled(history, B, "t", BETTER)

    assert why.startswith(told)
    assert bool(why) == bool(told)


def test_models_behind_which_somebody_went_back_are_known_until_they_are_promoted_again() -> None:
    history = [decision("promoted", A), decision("promoted", B), decision("promoted", C)]
    history += [decision("rolled_back", B), refused(C, B), decision("rolled_back", A)]
    assert taken_back(history) == {B, C}

    history += [decision("promoted", C)]
    assert taken_back(history) == {B}
