"""A corpus of eight pairs, taken as far as the `encode` step, and a way to train on it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq.config import Config, validate_config
from seq2seq.corpora.fetching import identity
from seq2seq.pipeline import CONTINUED, STEPS, ingredients, perform
from seq2seq.storage.artifacts import Record, Workspace, digest_of
from seq2seq.training.checkpoint import load_checkpoint
from seq2seq.training.progress import Progress

PAIRS = [
    ("eins zwei drei .", "three , two and one !"),
    ("vier fünf .", "five and four !"),
    ("sechs .", "six !"),
    ("eins vier sechs .", "six , four and one !"),
    ("zwei sechs fünf vier .", "four , five , six and two !"),
    ("drei eins .", "one and three !"),
    ("fünf zwei .", "two and five !"),
    ("vier drei zwei eins .", "one , two , three and four !"),
]
SETTINGS: dict[str, Any] = {
    "corpus": {"kind": "files", "source_language": "de", "target_language": "en"},
    "vocabulary": {"kind": "word", "min_frequency": 1},
    "model": {
        "embedding_size": 32,
        "encoder_hidden_size": 48,
        "decoder_hidden_size": 48,
        "attention": "general",
        "dropout": 0.1,
    },
    "training": {
        "learning_rate": 0.01,
        "warmup_steps": 5,
        "batch_tokens": 20,
        "max_epochs": 40,
        "validations_per_epoch": 0.1,
        "label_smoothing": 0.0,
        "precision": "fp32",
    },
    "runtime": {"threads": 1, "log_every_seconds": 0.01, "checkpoint_every_seconds": 3600},
}
Train = Callable[..., Record]


def write_split(folder: Path, stem: str, pairs: list[tuple[str, str]]) -> None:
    for side, language in enumerate(("de", "en")):
        (folder / f"{stem}.{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")


def prepare(factory: pytest.TempPathFactory, vocabulary: dict[str, Any]) -> tuple[Workspace, dict[str, Record]]:
    """Take the corpus as far as `encode`, with these settings of the vocabulary."""
    folder = factory.mktemp("corpus")
    for stem in ("train", "valid", "test"):
        write_split(folder, stem, PAIRS)
    corpus = {**SETTINGS["corpus"], "directory": str(folder)}
    config = validate_config({"corpus": corpus, "vocabulary": vocabulary, "cleaning": {"drop_leaks": False}})
    workspace = Workspace(factory.mktemp("workspace"))
    records: dict[str, Record] = {}
    for name in ("fetch", "clean", "tokenize", "vocabulary", "encode"):
        step = STEPS[name]
        sections = {section: config.section(section) for section in step.sections}
        source = identity(config.corpus) if name == "fetch" else None
        records[name] = perform(step, sections, records, workspace, ingredients(step, sections, records, source))
    return workspace, records


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, Record]]:
    return prepare(tmp_path_factory, SETTINGS["vocabulary"])


@pytest.fixture
def train(prepared: tuple[Workspace, dict[str, Record]], tmp_path: Path) -> Train:
    """Train in a workspace of the test's own; settings are given as `training={...}`, `model={...}`.

    `vocabulary` is what `prepared` was made with, where that is not the usual one.

    `parent` is the record of a model to start from.
    """
    origin, records = prepared
    (tmp_path / "artifacts").symlink_to(origin.root / "artifacts")

    def run(
        notify: Callable[[Progress], None] = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
        parent: Record | None = None,
        **changes: dict[str, Any],
    ) -> Record:
        names = ("vocabulary", "model", "training", "runtime")
        values = {name: {**SETTINGS.get(name, {}), **changes.get(name, {})} for name in names}
        config: Config = validate_config(values)
        step, inputs = (CONTINUED, {**records, "parent": parent}) if parent else (STEPS["train"], records)
        sections = {section: config.section(section) for section in step.sections}
        provenance = ingredients(step, sections, inputs)
        workspace, runtime, begun = Workspace(tmp_path), config.runtime, 0
        checkpoint = load_checkpoint(workspace.checkpoints(digest_of(provenance)))
        if checkpoint is not None:
            begun, runtime = checkpoint["position"]["step"], runtime.model_copy(update={"log_every_seconds": 1e-9})
        steps: list[int] = []

        def note(event: Progress) -> None:
            steps.append(event.step)
            notify(event)

        record = perform(step, sections, inputs, workspace, provenance, runtime, note, should_stop)
        assert min(steps, default=begun) >= begun, "it began anew beside its checkpoint"
        shutil.rmtree(workspace.checkpoints(record.key))  # as the task does: the next training of this key is a new one
        return record

    return run
