import itertools
import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sacrebleu.metrics import BLEU
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from seq2seq.batching import (
    TOKENS_PER_SENTENCE,
    Batch,
    EncodedPairs,
    collate,
    epoch_batches,
    plan_batches,
    read_encoded,
)
from seq2seq.errors import Seq2SeqError, TrainingInterrupted, UserError
from seq2seq.ragged import Ragged
from seq2seq.registry.model_folder import load_model
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.storage.artifacts import Record
from seq2seq.training import loop
from seq2seq.training.checkpoint import save_checkpoint
from seq2seq.training.forcing import decoder_features
from seq2seq.training.learner import Learner
from seq2seq.training.loss import linear_cross_entropy
from seq2seq.training.progress import Progress
from seq2seq.training.shares import Share
from seq2seq.training.validation import Validation
from seq2seq.translator import Translator
from tests.training.conftest import PAIRS, SETTINGS

Train = Callable[..., Record]


def stop_after(checks: int) -> Callable[[], bool]:
    """Asks for a stop at the given look, and at no other."""
    looks = itertools.count(1)
    return lambda: next(looks) == checks


def test_equal_seeds_give_equal_weights_and_another_seed_gives_others(train: Train, tmp_path: Path) -> None:
    short = {"max_epochs": 3}
    first = train(training=short)
    again = train(training=short)
    other = train(training={**short, "seed": 2})
    assert first.digest == again.digest != other.digest
    assert [entry["valid_bleu"] for entry in first.statistics["history"]] == [
        entry["valid_bleu"] for entry in again.statistics["history"]
    ]


@pytest.mark.parametrize("checks", [1, 2, 7, 12, 17, 22])
@pytest.mark.parametrize(
    "training",
    [{}, {"average_decay": 0.9, "teacher_forcing_ratio": 0.5}, {"r_drop": 2.0}],
    ids=["plain", "average", "R-Drop"],
)
def test_a_training_stopped_anywhere_and_resumed_ends_with_the_same_weights(
    train: Train, tmp_path: Path, checks: int, training: dict[str, Any]
) -> None:
    settings = {"max_epochs": 7, "validations_per_epoch": 0.5, **training}
    with pytest.raises(TrainingInterrupted, match="checkpoint is saved"):
        train(should_stop=stop_after(checks), training=settings)
    resumed = train(training=settings)
    shutil.rmtree(tmp_path / "checkpoints")
    never_stopped = train(training=settings)
    assert resumed.digest == never_stopped.digest
    assert [entry["valid_bleu"] for entry in resumed.statistics["history"]] == [
        entry["valid_bleu"] for entry in never_stopped.statistics["history"]
    ]


def test_an_average_of_weights_learns_from_the_first_update_on(train: Train) -> None:
    every_update = {"max_epochs": 3, "batch_tokens": 1000, "validations_per_epoch": 1, "warmup_steps": 0}
    history = train(training={**every_update, "average_decay": 0.9}).statistics["history"]
    untrained = math.log(15)  # nats a token: about what a random start has, of the target words and special tokens
    nats = [entry["valid_nats_per_token"] for entry in history]
    assert len(nats) == 3
    assert untrained > nats[0] > nats[1] > nats[2]


def test_a_checkpoint_is_left_behind_by_an_interruption(train: Train, tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        train(should_stop=stop_after(5))
    assert len(list((tmp_path / "checkpoints").rglob("checkpoint.pt"))) == 1
    assert not list((tmp_path / "artifacts" / "train").glob("*.partial"))


def test_without_forcing_the_decoder_reads_its_own_predictions(train: Train, prepared: Any) -> None:
    workspace, records = prepared
    model = load_model(workspace.root / train(training={"max_epochs": 1}).address).model
    pairs = read_encoded(workspace.open(records["encode"]).file("train.arrow"))
    batch = collate(pairs, epoch_batches(pairs, plan_batches(pairs, 20), 1, 0)[0])
    with torch.inference_mode():
        free_BTF = decoder_features(model, batch, 0.0)
        tokens_B, memory = batch.inputs_BT[:, 0], model.encode(batch.source_BS, batch.source_lengths_B)
        state = model.start(memory)
        for step in range(batch.inputs_BT.shape[1]):
            logits_BV, state = model.step(tokens_B, memory, state)
            torch.testing.assert_close(model.logits(free_BTF[:, step]), logits_BV, atol=1e-5, rtol=1e-5)
            tokens_B = logits_BV.argmax(-1)


def test_nearly_full_forcing_step_by_step_equals_the_whole_target_in_one_call(train: Train, prepared: Any) -> None:
    workspace, records = prepared
    model = load_model(workspace.root / train(training={"max_epochs": 1}).address).model
    pairs = read_encoded(workspace.open(records["encode"]).file("train.arrow"))
    batch = collate(pairs, epoch_batches(pairs, plan_batches(pairs, 40), 1, 0)[0])
    with torch.inference_mode():
        torch.testing.assert_close(
            decoder_features(model, batch, 1 - 1e-12), decoder_features(model, batch, 1.0), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"max_steps": 4, "max_epochs": 0}, "max_steps"),
        ({"max_epochs": 2}, "max_epochs"),
        ({"max_epochs": 0, "patience": 10**6, "max_minutes": 0.02}, "max_minutes"),
        ({"max_epochs": 0, "patience": 10**6, "max_minutes": 1e-6}, "clock"),
        ({"max_epochs": 0, "patience": 1, "learning_rate": 1e-30, "validations_per_epoch": 1}, "patience"),
    ],
)
def test_a_training_says_what_ended_it_and_always_leaves_a_model(
    train: Train, tmp_path: Path, training: dict[str, Any], reason: str
) -> None:
    record = train(training=training)
    stopped_by = record.statistics["stopped_by"]
    assert stopped_by == reason or (reason == "max_minutes" and stopped_by == "clock")  # a machine may slow down
    assert record.statistics["best_step"] >= 1
    assert load_model(tmp_path / record.address).model.output.out_features > 4


@pytest.mark.parametrize("looks", [3, 5, 10, 14])
def test_a_stopped_training_can_be_finished_where_it_stands(train: Train, tmp_path: Path, looks: int) -> None:
    training, finish = {"validations_per_epoch": 0.5}, {**SETTINGS["runtime"], "finish": True}
    with pytest.raises(UserError, match="nothing of this training is done"):
        train(training=training, runtime=finish)
    with pytest.raises(TrainingInterrupted, match=r"runtime\.finish=true") as stopped:
        train(training=training, should_stop=stop_after(looks))

    (checkpoint,) = (tmp_path / "checkpoints").rglob("checkpoint.pt")
    before = checkpoint.read_bytes()

    try:
        found = train(training=training, runtime=finish, should_stop=lambda: True)
    except TrainingInterrupted:  # in a validation that was to be done: who goes on has lost nothing
        assert checkpoint.read_bytes() == before
        found = train(training=training, runtime=finish)

    validated = [entry["step"] for entry in found.statistics["history"]]
    assert f"stopped at step {found.statistics['steps']}" in str(stopped.value)
    assert found.statistics["stopped_by"] == "finish"
    assert validated == sorted(set(validated))
    assert validated[-1] == found.statistics["steps"]
    assert found.statistics["best_step"] in validated
    assert load_model(tmp_path / found.address).model.output.out_features > 4


def test_a_limit_of_steps_holds_before_a_time_budget_has_become_steps(train: Train) -> None:
    record = train(training={"max_epochs": 0, "max_steps": 3, "max_minutes": 5})
    assert (record.statistics["steps"], record.statistics["stopped_by"]) == (3, "max_steps")


@pytest.mark.parametrize(
    ("bleus", "published"),
    [
        ([0, 0, 0, 0, 0, 0], 6),
        ([1, 12, 11.6, 11.4, 11.5, 11.4], 5),
        ([1, 2, 3, 12, 11, 10], 4),
        ([11.5, 12, 11, 11, 11, 11], 2),
        ([11.6, 11.7, 12.2, 11.6, 11.6, 11.6], 3),
    ],
)
def test_of_nearly_equal_bleu_the_weights_with_the_lowest_loss_are_published(
    train: Train, monkeypatch: pytest.MonkeyPatch, bleus: list[float], published: int
) -> None:
    scores = iter(bleus)
    monkeypatch.setattr("seq2seq.training.validation.validation_bleu", lambda *texts: next(scores))
    statistics = train(training={"max_epochs": 6, "validations_per_epoch": 1}).statistics
    nats = [entry["valid_nats_per_token"] for entry in statistics["history"]]
    assert nats == sorted(nats, reverse=True)
    chosen = statistics["history"][published - 1]
    assert (statistics["best_step"], statistics["valid_bleu"]) == (chosen["step"], bleus[published - 1])
    assert statistics["valid_nats_per_token"] == chosen["valid_nats_per_token"]


def test_patience_does_not_run_out_while_the_loss_falls(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.training.validation.validation_bleu", lambda *texts: 0.0)
    record = train(training={"max_epochs": 6, "validations_per_epoch": 1, "patience": 1})
    nats = [entry["valid_nats_per_token"] for entry in record.statistics["history"]]
    assert nats == sorted(nats, reverse=True)
    assert (record.statistics["epochs"], record.statistics["stopped_by"]) == (6, "max_epochs")


def test_a_time_budget_becomes_a_number_of_steps(train: Train) -> None:
    record = train(training={"max_epochs": 0, "max_minutes": 0.05})
    assert record.statistics["planned_steps"] > 10


def test_the_best_weights_are_published_not_the_last(train: Train, tmp_path: Path) -> None:
    """A rate that destroys the model after it was good: the result is from before."""
    record = train(training={"max_epochs": 60, "schedule": "constant", "learning_rate": 0.3, "warmup_steps": 200})
    history = record.statistics["history"]
    best = max(history, key=lambda entry: entry["valid_bleu"])
    assert record.statistics["best_step"] == best["step"] < history[-1]["step"]
    assert record.statistics["valid_bleu"] == best["valid_bleu"] > history[-1]["valid_bleu"]
    translator = Translator.load(tmp_path / record.address, RuntimeSettings(threads=1, device="cpu"), "fp32")
    sources, references = zip(*PAIRS, strict=True)
    assert BLEU().corpus_score(translator.translate(sources, 1), [references]).score == pytest.approx(
        best["valid_bleu"]
    )


def test_progress_says_where_a_training_stands(train: Train) -> None:
    events: list[Progress] = []
    train(notify=events.append, training={"max_epochs": 10})
    assert [event.step for event in events] == sorted(event.step for event in events)
    assert all(event.planned_steps == events[-1].step and event.tokens_per_second > 0 for event in events)
    assert events[-1].loss < events[0].loss
    assert events[-1].seconds_left == 0
    assert sum(event.valid_bleu is not None for event in events) == 1


def test_a_validation_loss_that_is_no_number_is_an_error_too(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.training.validation.Validation.nats_per_token", lambda *model: math.nan)
    with pytest.raises(Seq2SeqError, match=r"validation loss is nan at step \d+: .* Lower training\.learning_rate"):
        train()


def test_a_loss_that_is_no_number_is_an_error_with_the_way_out(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        loss, nll = linear_cross_entropy(*arguments)
        return loss * math.nan, nll * math.nan

    monkeypatch.setattr("seq2seq.training.learner.linear_cross_entropy", broken)
    with pytest.raises(Seq2SeqError, match=r"loss is nan at step \d+: .* Lower training\.learning_rate"):
        train()
    assert not list((tmp_path / "artifacts" / "train").glob("*.partial"))


def test_losses_and_times_lie_beside_the_content(train: Train, tmp_path: Path) -> None:
    record = train(training={"max_epochs": 10})
    history = json.loads((tmp_path / record.address / "log" / "history.json").read_text(encoding="utf-8"))
    assert {"loss", "learning_rate"} <= history[0].keys()
    assert "history.json" not in record.files


def test_within_a_time_budget_a_cosine_runs_to_the_end_that_the_settings_name(train: Train, tmp_path: Path) -> None:
    record = train(training={"max_epochs": 10, "max_minutes": 60, "learning_rate": 0.01})
    history = json.loads((tmp_path / record.address / "log" / "history.json").read_text(encoding="utf-8"))
    rates = [entry["learning_rate"] for entry in history if "learning_rate" in entry]
    assert record.statistics["stopped_by"] == "max_epochs"
    assert rates[-1] == pytest.approx(0.05 * 0.01, rel=0.05)


def test_a_plan_by_time_does_not_count_validations_twice(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a validation costs nine times the updates before it: counted twice, half of the budget is left over."""
    bleu = Validation.bleu

    def slow(self: Validation, *arguments: Any) -> float:
        time.sleep(0.18)
        return bleu(self, *arguments)

    told: list[tuple[float, float]] = []
    planned = loop.steps_in_time

    def planning(seconds_left: float, per_step: float, per_validation: float, interval: int) -> int:
        told.append((per_step, per_validation))
        return planned(seconds_left, per_step, per_validation, interval)

    monkeypatch.setattr(Validation, "bleu", slow)
    monkeypatch.setattr(loop, "save_checkpoint", lambda folder, state: folder.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(loop, "steps_in_time", planning)
    train(training={"max_epochs": 0, "max_minutes": 0.1, "validations_per_epoch": 1, "patience": 10**6})
    [(seconds_per_step, _)] = told
    assert seconds_per_step < 0.18 / 4  # a validation after each few steps, none of which is in here


@pytest.mark.parametrize(
    ("slow", "slower", "least", "most"),
    [
        (range(49, 10_000), 2, 130, 144),  # from a fifth on
        (range(49, 10_000), 0.5, 155, 240),
        (range(80, 81), 20, 155, 220),  # a pause, which is made up for
    ],
)
def test_while_the_machine_is_slower_the_schedule_is_fitted_to_the_time_that_is_left(
    train: Train, monkeypatch: pytest.MonkeyPatch, slow: range, slower: float, least: int, most: int
) -> None:
    """A minute with four updates a second, of which some take `slower` times as long."""
    seconds = 0.0
    update = Learner.update
    rates: list[float] = []

    def counted(self: Learner, share: Share, number: int, rate: float) -> torch.Tensor:
        nonlocal seconds
        seconds += 0.25 * (slower if number in slow else 1)
        rates.append(rate)
        return update(self, share, number, rate)

    monkeypatch.setattr(Learner, "update", counted)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: seconds))
    settings = {"max_epochs": 0, "max_minutes": 1, "validations_per_epoch": 0.5, "patience": 10**6}
    statistics = train(training=settings).statistics
    assert least <= statistics["steps"] <= most
    assert rates[-1] == pytest.approx(0.05 * 0.01, rel=0.1)  # the floor of the cosine


def test_progress_names_the_epoch_that_an_update_was_in(train: Train) -> None:
    events: list[Progress] = []
    train(notify=events.append, training={"max_epochs": 3, "validations_per_epoch": 1})
    assert [event.epoch for event in events if event.valid_bleu is not None] == [1, 2, 3]


def test_a_damaged_checkpoint_is_named_with_the_way_out(train: Train, tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        train(should_stop=stop_after(5))
    [checkpoint] = (tmp_path / "checkpoints").rglob("checkpoint.pt")
    whole = checkpoint.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"x" * len(whole)):
        checkpoint.write_bytes(damaged)
        with pytest.raises(UserError, match=r"checkpoint\.pt is damaged, .* remove it"):
            train()
    checkpoint.write_bytes(whole)
    train()


def test_validation_batches_are_bounded_however_long_a_sentence_is(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [3] * 200 + [5000, 0]
    sources = Ragged.of_lengths(np.full(sum(lengths), 5, dtype=np.int32), np.array(lengths))
    pairs = EncodedPairs(
        sources, Ragged.of_lengths(np.full(len(lengths), 5, dtype=np.int32), np.ones(len(lengths), int))
    )
    shapes: list[tuple[int, ...]] = []

    def decode(model: Any, source_BS: torch.Tensor, *limits: Any) -> list[list[int]]:
        shapes.append(tuple(source_BS.shape))
        return [[] for _ in source_BS]

    monkeypatch.setattr("seq2seq.training.validation.greedy", decode)
    monkeypatch.setattr("seq2seq.training.validation.validation_bleu", lambda *texts: 0.0)
    tokenizer = Tokenizer(WordLevel({"a": 0}, "a"))
    validation = Validation(pairs, ["a"] * len(lengths), tokenizer, "13a", "fp32", torch.device("cpu"))
    validation.bleu(SimpleNamespace(for_decoding=lambda make: None))  # type: ignore[arg-type]
    assert sum(rows for rows, _ in shapes) == 201
    assert max(rows * columns for rows, columns in shapes) <= 128 * TOKENS_PER_SENTENCE

    shapes.clear()
    monkeypatch.setattr("seq2seq.training.validation.decoder_features", lambda model, batch, _: learn(batch))
    monkeypatch.setattr("seq2seq.training.validation.linear_cross_entropy", lambda *_: (0.0, torch.ones(())))

    def learn(batch: Batch) -> torch.Tensor:
        shapes.append(tuple(batch.source_BS.shape))
        return torch.zeros(*batch.inputs_BT.shape, 1)

    validation.nats_per_token(SimpleNamespace(output=SimpleNamespace(weight=None, bias=None)))  # type: ignore[arg-type]
    assert sum(rows for rows, _ in shapes) == len(lengths)
    assert max(rows * columns for rows, columns in shapes) <= 128 * TOKENS_PER_SENTENCE


def test_checkpoints_that_take_long_are_written_less_often(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr("seq2seq.training.loop.time.monotonic", lambda: next(clock))
    written: list[float] = []
    often = {"checkpoint_every_seconds": 1e-9}

    def checkpoints(seconds: float) -> int:
        written.clear()

        def save(folder: Path, state: Any) -> None:
            save_checkpoint(folder, state)
            written.append(next(clock))
            for _ in range(int(seconds)):
                next(clock)

        monkeypatch.setattr("seq2seq.training.loop.save_checkpoint", save)
        train(training={"max_steps": 60, "seed": int(seconds), "validations_per_epoch": 0.01}, runtime=often)
        return len(written)

    assert checkpoints(0) > 3 * checkpoints(1000) > 0
