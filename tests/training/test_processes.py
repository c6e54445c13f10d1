"""Trainings that several processes share."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from seq2seq.batching import EncodedPairs
from seq2seq.errors import Seq2SeqError, TrainingInterrupted
from seq2seq.ragged import Ragged
from seq2seq.storage.artifacts import Record
from seq2seq.subwords.special_tokens import EOS, PAD
from seq2seq.training import replicas
from seq2seq.training.data import TrainingData
from seq2seq.training.progress import Progress
from seq2seq.training.shares import shares

Train = Callable[..., Record]
TWO = {"processes": 2}
NO_DROPOUT = {"dropout": 0.0, "bidirectional": True, "tie_embeddings": True}
SHORT = {"max_epochs": 6, "validations_per_epoch": 0.5, "label_smoothing": 0.1, "average_decay": 0.9}


def weights(folder: Path, record: Record) -> dict[str, torch.Tensor]:
    return load_file(folder / record.address / "model.safetensors")


def losses(folder: Path, record: Record) -> list[float]:
    history = json.loads((folder / record.address / "log" / "history.json").read_text(encoding="utf-8"))
    return [entry["loss"] for entry in history if "loss" in entry] + [
        entry["valid_nats_per_token"] for entry in history if "valid_nats_per_token" in entry
    ]


@pytest.mark.parametrize("backend", ["memory", "gloo"])
def test_processes_that_share_batches_come_to_what_one_process_comes_to(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(replicas, "backend_of", lambda device: backend)
    every_step: dict[str, Any] = {"log_every_seconds": 1e-9}
    alone = train(model=NO_DROPOUT, training=SHORT, runtime=every_step)
    curve, expected = losses(tmp_path, alone), weights(tmp_path, alone)
    together = train(model=NO_DROPOUT, training=SHORT, runtime={**every_step, **TWO})
    assert together.statistics["processes"] == 2
    assert losses(tmp_path, together) == pytest.approx(curve, rel=1e-3)
    for name, tensor in weights(tmp_path, together).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-2, atol=1e-3)


def test_a_batch_with_fewer_rows_than_processes_is_learned_by_some_of_them(train: Train, tmp_path: Path) -> None:
    single_rows = {"max_epochs": 2, "batch_tokens": 1}
    expected = weights(tmp_path, train(model=NO_DROPOUT, training=single_rows))
    together = train(model=NO_DROPOUT, training=single_rows, runtime={"processes": 3})
    assert together.statistics["processes"] == 3
    for name, tensor in weights(tmp_path, together).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-2, atol=1e-3)


def test_a_batch_in_parts_is_learned_like_a_whole_one(train: Train, tmp_path: Path) -> None:
    settings = {**SHORT, "r_drop": 1.0}
    every_step: dict[str, Any] = {"log_every_seconds": 1e-9}
    whole = train(model=NO_DROPOUT, training=settings, runtime=every_step)
    curve, expected = losses(tmp_path, whole), weights(tmp_path, whole)
    for processes in (1, 2):
        parts = {**every_step, "gradient_accumulation": 3, "processes": processes}
        found = train(model=NO_DROPOUT, training=settings, runtime=parts)
        assert losses(tmp_path, found) == pytest.approx(curve, rel=1e-3)
        for name, tensor in weights(tmp_path, found).items():
            torch.testing.assert_close(tensor, expected[name], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("parts", [1, 3, 9])
@pytest.mark.parametrize("copies", [1, 2])
def test_the_shares_of_a_batch_are_all_its_rows_evenly_and_no_wider_than_they_need_be(
    processes: int, parts: int, copies: int
) -> None:
    lengths = np.random.default_rng(0).integers(1, 9, 50)
    rows = Ragged.of_lengths(np.arange(100, 100 + lengths.sum(), dtype=np.int32), lengths)
    data = TrainingData(EncodedPairs(rows, rows), batch_tokens=40, seed=1)
    assert data.steps_per_epoch > 1
    coming = [shares(data, 0, 0, rank, processes, parts, copies, torch.device("cpu")) for rank in range(processes)]
    for (pairs, indices), *each in zip(data.batches(0), *coming, strict=False):
        learned = [part for share in each for part in share.parts]
        sizes = [len(part.source_BS) // copies for part in learned]
        assert len(sizes) == min(processes * parts, len(indices))
        assert max(sizes) - min(sizes) <= 1
        found = [tuple(row[row > EOS].tolist()) for part in learned for row in part.source_BS]
        assert Counter(found) == Counter({tuple(pairs.source[row].tolist()): copies for row in indices})
        assert {share.target_tokens for share in each} == {sum(len(part.targets_N) for part in learned) // copies}
        assert all((part.source_BS != PAD).any(0).all() for part in learned)


def test_a_shared_training_stopped_and_resumed_ends_with_the_same_weights(train: Train, tmp_path: Path) -> None:
    settings = {**SHORT, "max_epochs": 3, "r_drop": 1.0}
    looks = itertools.count(1)
    with pytest.raises(TrainingInterrupted, match="checkpoint is saved"):
        train(should_stop=lambda: next(looks) == 7, training=settings, runtime=TWO)
    resumed = train(training=settings, runtime=TWO)
    shutil.rmtree(tmp_path / "checkpoints")
    assert resumed.digest == train(training=settings, runtime=TWO).digest


def test_a_checkpoint_of_two_processes_serves_one(train: Train, tmp_path: Path) -> None:
    looks = itertools.count(1)
    with pytest.raises(TrainingInterrupted):
        train(should_stop=lambda: next(looks) == 7, model=NO_DROPOUT, training=SHORT, runtime=TWO)
    resumed = train(model=NO_DROPOUT, training=SHORT)
    shutil.rmtree(tmp_path / "checkpoints")
    alone = train(model=NO_DROPOUT, training=SHORT)
    expected = weights(tmp_path, alone)
    for name, tensor in weights(tmp_path, resumed).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-2, atol=1e-3)


def children() -> list[int]:
    """Process ids of the replicas that this process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if f"PPid:\t{os.getpid()}\n" in status.read_text() and b"seq2seq.training.replica" in (
                status.with_name("cmdline").read_bytes()
            ):
                found.append(int(status.parent.name))
    return found


def test_a_process_that_dies_fails_the_training_which_then_goes_on_from_its_checkpoint(train: Train) -> None:
    steps: list[int] = []

    def kill(event: Progress) -> None:
        steps.append(event.step)
        if event.step == 8:
            os.kill(children()[0], signal.SIGKILL)

    often = {**TWO, "log_every_seconds": 1e-9, "checkpoint_every_seconds": 0}
    with pytest.raises(Seq2SeqError, match=r"(?s)Process 2 of the 2 .* signal 9, .* goes on from it"):
        train(notify=kill, training=SHORT, runtime=often)
    assert children() == []
    assert max(steps) == 8
    steps.clear()
    record = train(notify=lambda event: steps.append(event.step), training=SHORT, runtime=often)
    assert min(steps) > 7
    assert record.statistics["stopped_by"] == "max_epochs"


def begin_without_settings() -> None:
    with replicas.Replicas(2, torch.device("cpu")) as others:
        others.begin({"training": {}}, [])
        others.generators()


def test_what_a_process_says_before_it_fails_is_in_the_error() -> None:
    with pytest.raises(Seq2SeqError, match=r"(?s)Process 2 of the 2 .*error, code 1.*KeyError: 'runtime'"):
        begin_without_settings()
    assert children() == []


def test_a_process_ends_when_the_one_that_started_it_is_killed() -> None:
    program = (
        "import time, torch\n"
        "from seq2seq.training.replicas import Replicas\n"
        "replicas = Replicas(2, torch.device('cpu'))\n"
        "print(replicas._children[0].pid, flush=True)\n"
        "time.sleep(100)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not Path(f"/proc/{child}").exists() or "State:\tZ" in Path(f"/proc/{child}/status").read_text())


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.05)
