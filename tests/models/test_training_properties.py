"""Properties of training that every architecture keeps."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from seq2seq.batching import EncodedPairs, collate, epoch_batches, plan_batches, read_encoded
from seq2seq.decoding.steps import greedy
from seq2seq.errors import TrainingInterrupted
from seq2seq.models.build import build_model
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.settings.model import ModelSettings
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.training.forcing import decoder_features
from seq2seq.training.loss import linear_cross_entropy
from tests.models.architectures import ARCHITECTURES
from tests.models.conftest import VOCABULARY

SIZES = {
    "embedding_size": 36,
    "encoder_hidden_size": 48,
    "decoder_hidden_size": 48,
    "feedforward_size": 72,
    "attention": "none",
}
WITHOUT_DROPOUT = {"dropout": 0.0, "source_word_dropout": 0.0, "target_word_dropout": 0.0}
Train = Callable[..., Record]


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**SIZES, **request.param}


def pairs_and_model(
    prepared: tuple[Workspace, dict[str, Record]], settings: dict[str, Any]
) -> tuple[EncodedPairs, Seq2Seq[Any, Any]]:
    """The eight pairs and a network with fresh weights for their one vocabulary."""
    workspace, records = prepared
    size = records["vocabulary"].statistics["source"]["tokens"]
    torch.manual_seed(3)
    model = build_model(ModelSettings(**settings), size, size)
    return read_encoded(workspace.open(records["encode"]).file("train.arrow")), model


def history(record: Record) -> list[tuple[float, float]]:
    return [(entry["valid_bleu"], entry["valid_nats_per_token"]) for entry in record.statistics["history"]]


def test_eight_pairs_are_learned_by_heart(
    prepared: tuple[Workspace, dict[str, Record]], settings: dict[str, Any]
) -> None:
    """Greedy translations equal the references token by token: BLEU 100."""
    pairs, model = pairs_and_model(prepared, {**settings, **WITHOUT_DROPOUT})
    batch = collate(pairs, np.arange(len(pairs)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(400):
        logits_NV = model.logits(decoder_features(model, batch, 1.0).flatten(0, 1)[batch.real_N])
        if torch.equal(logits_NV.argmax(1), batch.targets_N):
            break
        functional.cross_entropy(logits_NV, batch.targets_N).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    limits_B = torch.full((len(pairs),), 20)
    translations = greedy(model.eval(), batch.source_BS, batch.source_lengths_B, limits_B)
    assert translations == [pairs.target[row].tolist() for row in range(len(pairs))]


def test_a_training_stopped_and_resumed_equals_one_that_never_stopped(
    train: Train, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """And so two trainings with one seed have one history."""
    chosen = {
        "model": {**settings, "dropout": 0.2},
        "training": {"max_epochs": 2, "validations_per_epoch": 1},
        "vocabulary": VOCABULARY,
    }
    looks = itertools.count(1)
    with pytest.raises(TrainingInterrupted):
        train(should_stop=lambda: next(looks) == 5, **chosen)
    resumed = train(**chosen)
    shutil.rmtree(tmp_path / "checkpoints")
    never_stopped = train(**chosen)
    assert resumed.digest == never_stopped.digest
    assert history(resumed) == history(never_stopped)


def test_the_loss_per_real_token_does_not_depend_on_the_batch_size(
    prepared: tuple[Workspace, dict[str, Record]], settings: dict[str, Any]
) -> None:
    pairs, model = pairs_and_model(prepared, settings)
    model.eval()
    losses = []
    for budget in (1, 20, 10_000):
        nats = 0.0
        for indices in epoch_batches(pairs, plan_batches(pairs, budget), 1, 0):
            batch = collate(pairs, indices)
            with torch.inference_mode():
                features_NF = decoder_features(model, batch, 1.0).flatten(0, 1)[batch.real_N]
                _, nll = linear_cross_entropy(features_NF, model.output.weight, model.output.bias, batch.targets_N)
            nats += nll.item()
        losses.append(nats / pairs.target_tokens)
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)
