"""Runs as they lie in a workspace, made without running anything."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seq2seq.config import Config
from seq2seq.storage.artifacts import Record, Workspace, digest_of, write_text_atomically
from seq2seq.workspace.report import StepOutcome, build_report, write_report

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REFERENCES = ["The dog sleeps.", "A cat runs there today.", "One man sees the small child.", "The woman eats."] * 3


def store(workspace: Workspace, step: str, key: str, files: dict[str, str], **statistics: Any) -> Record:
    """A record as Prefect stores it, with its artifact."""

    def write(folder: Path) -> tuple[dict[str, Any], float]:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return statistics, 90.0

    record = workspace.publish(step, key, write, {})
    write_text_atomically(workspace.index_file(step, key), json.dumps({"result": record.model_dump_json()}))
    return record


def translated(texts: Sequence[str], references: Sequence[str]) -> str:
    rows = zip(references, texts, strict=True)
    return "".join(
        json.dumps({"source": reference.upper(), "reference": reference, "translation": text}) + "\n"
        for reference, text in rows
    )


def make_run(
    root: Path,
    name: str = "demo",
    hours: float = 0,
    texts: Sequence[str] = REFERENCES,
    references: Sequence[str] = REFERENCES,
    tokenizer: str = "13a",
    config: Config | None = None,
    train: Mapping[str, Any] = {"steps": 600, "epochs": 2.0, "valid_bleu": 30.04},
) -> Path:
    """A run with records of `train` and `evaluate`, begun `hours` after noon; gives its folder."""
    workspace = Workspace(root)
    table = translated(texts, references)
    keys = {"train": digest_of([name, hours]), "evaluate": digest_of([name, hours, table])}
    model = store(workspace, "train", keys["train"], {"config.json": name}, **train)
    signature = f"nrefs:1|bs:100|seed:12345|case:mixed|eff:no|tok:{tokenizer}|smooth:exp|version:2.6.0"
    scores = store(
        workspace,
        "evaluate",
        keys["evaluate"],
        {"translations.jsonl": table},
        bleu=31.25,
        bleu_interval=[29.0, 33.5],
        signature=signature,
        test_pairs=len(references),
        examples=[{"source": "QUELLE", "translation": "text", "reference": "reference"}],
    )
    outcomes = [
        StepOutcome(record.step, record.key, cached, 1.5, record.digest)
        for record, cached in ((model, True), (scores, False))
    ]
    config = config or Config(name=name)
    began = NOON + timedelta(hours=hours)
    report = build_report(config, "train-translator", began, outcomes, model, scores, root / "model", 2.5)
    return write_report(report, config, root / "runs", began).parent
