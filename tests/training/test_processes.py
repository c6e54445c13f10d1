"""Trainings that several processes share."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.artifacts import Record
from seq2seq.errors import Seq2SeqError, TrainingInterrupted
from seq2seq.training import replicas
from seq2seq.training.progress import Progress

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
    (tmp_path / "index").exists()
    together = train(model=NO_DROPOUT, training=SHORT, runtime={**every_step, **TWO})
    assert together.statistics["processes"] == 2
    assert losses(tmp_path, together) == pytest.approx(curve, rel=1e-3)
    for name, tensor in weights(tmp_path, together).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-2, atol=1e-3)
