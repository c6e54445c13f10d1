"""A training that starts from the weights of a finished one."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from seq2seq.errors import TrainingInterrupted
from seq2seq.storage.artifacts import Record
from seq2seq.training.progress import Progress

Train = Callable[..., Record]
SHORT = {"max_epochs": 3, "validations_per_epoch": 0.5}
USELESS = {**SHORT, "learning_rate": 1e-12}


def test_a_continued_training_starts_from_its_parent_and_names_it(train: Train) -> None:
    parent = train(training={"max_epochs": 20})
    events: list[Progress] = []

    child = train(parent=parent, training=SHORT, notify=events.append)

    assert child.step == "train"
    assert child.statistics["parent"] == parent.digest
    assert child.provenance["inputs"]["parent"] == parent.parts()
    assert child.key != parent.key
    assert events[0].step == 0
    assert events[0].valid_bleu == pytest.approx(parent.statistics["valid_bleu"])
    assert events[0].seconds_left is None


def test_the_parent_is_kept_when_no_update_made_it_better(train: Train, tmp_path: Path) -> None:
    parent = train(training={"max_epochs": 20})

    child = train(parent=parent, training={**SHORT, "learning_rate": 1.0, "schedule": "constant", "warmup_steps": 0})

    assert (child.statistics["best_step"], child.statistics["valid_bleu"]) == (0, parent.statistics["valid_bleu"])
    assert child.digest == parent.digest
    assert child.statistics["history"][-1]["valid_bleu"] < parent.statistics["valid_bleu"]


def test_the_parent_is_kept_when_only_the_loss_became_lower(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = train(training={"max_epochs": 3, "validations_per_epoch": 1})
    scores = iter([30.0, 29.9, 29.8, 29.7])
    monkeypatch.setattr("seq2seq.training.validation.validation_bleu", lambda *texts: next(scores))

    child = train(parent=parent, training={"max_epochs": 3, "validations_per_epoch": 1})

    assert child.digest == parent.digest
    first, *others = (entry["valid_nats_per_token"] for entry in child.statistics["history"])
    assert max(others) < first == child.statistics["valid_nats_per_token"]


def test_longer_training_makes_an_unfinished_model_better(train: Train) -> None:
    parent = train(training={"max_epochs": 3, "validations_per_epoch": 1})
    child = train(parent=parent, training={"max_epochs": 40})

    assert child.statistics["valid_bleu"] > parent.statistics["valid_bleu"]


def stop_after(checks: int) -> Callable[[], bool]:
    looks = itertools.count(1)
    return lambda: next(looks) == checks


@pytest.mark.parametrize("checks", [1, 2, 4, 7])
@pytest.mark.parametrize("training", [{}, {"average_decay": 0.9}], ids=["plain", "average"])
def test_a_continued_training_stopped_anywhere_ends_with_the_same_weights(
    train: Train, tmp_path: Path, checks: int, training: dict[str, Any]
) -> None:
    parent = train(training=SHORT)
    settings = {**SHORT, "seed": 2, **training}
    with pytest.raises(TrainingInterrupted, match="checkpoint is saved"):
        train(parent=parent, should_stop=stop_after(checks), training=settings)
    resumed = train(parent=parent, training=settings)
    shutil.rmtree(tmp_path / "checkpoints")

    never_stopped = train(parent=parent, training=settings)

    assert resumed.digest == never_stopped.digest != parent.digest
    assert [entry["step"] for entry in resumed.statistics["history"]] == [
        entry["step"] for entry in never_stopped.statistics["history"]
    ]


def test_another_parent_is_another_key(train: Train) -> None:
    one, other = train(training=USELESS), train(training={**USELESS, "seed": 2})

    assert train(parent=one, training=SHORT).key != train(parent=other, training=SHORT).key


def test_weights_of_the_parent_are_taken_over_to_the_bit(train: Train, tmp_path: Path) -> None:
    parent = train(training=SHORT)
    child = train(parent=parent, training={**USELESS, "weight_decay": 0.0})

    before, after = (load_file(tmp_path / record.address / "model.safetensors") for record in (parent, child))
    assert before.keys() == after.keys()
    assert max(float((before[name] - after[name]).abs().max()) for name in before) < 1e-9
