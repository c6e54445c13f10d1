"""What one run did, in a form that scripts rely on: `report.json`, and beside it `config.json`, all its settings."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seq2seq.config import Config
from seq2seq.errors import DiskError
from seq2seq.peak_memory import peak_memory_mib
from seq2seq.storage.artifacts import Record, digest_of, write_text_atomically
from seq2seq.storage.disk import writing

REPORT, CONFIG = "report.json", "config.json"
SCORES = ("bleu", "bleu_interval", "bleu_lowercased", "chrf", "ter", "signature", "test_pairs", "length_ratio")
TRAINING = (
    "target_tokens_per_second",
    "steps",
    "epochs",
    "best_step",
    "stopped_by",
    "valid_bleu",
    "valid_nats_per_token",
    "parameters",
    "device",
    "precision",
    "threads",
    "processes",
)


@dataclass(frozen=True)
class StepOutcome:
    """What became of one step in one run; `digest` is that of its result."""

    name: str
    key: str
    cached: bool
    seconds: float
    digest: str


def build_report(
    config: Config,
    flow: str,
    started: datetime,
    outcomes: Sequence[StepOutcome],
    training: Record,
    evaluation: Record,
    model_dir: Path,
    seconds: float,
) -> dict[str, Any]:
    """The report as JSON values. A figure that a record does not hold is null.

    `started` has a time zone; `model` is the digest of the model that `scores` are of, `evaluation` the key of the
    record that holds them.
    """
    test_set = config.corpus.test_set(evaluation.statistics.get("split", "test"))
    return {
        "name": config.name,
        "flow": flow,
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "config_digest": config_digest(config),
        "steps": [asdict(outcome) for outcome in outcomes],
        "scores": {"test": test_set} | _chosen(evaluation.statistics, SCORES),
        "training": _chosen(training.statistics, TRAINING),
        "peak_memory_mib": _peak_memory_mib(outcomes, training),
        "model": training.digest,
        "model_dir": str(model_dir.resolve()),
        "evaluation": evaluation.key,
        "seconds": round(seconds, 3),
    }


def config_digest(config: Config) -> str:
    """Digest of all settings that shape a result: equal for runs that should come to the same model."""
    return digest_of(config.key_content())


def write_report(report: Mapping[str, Any], config: Config, runs: Path, started: datetime) -> Path:
    """Write both files into `RUNS/TIMESTAMP-NAME/`, report.json last; gives its path.

    Two runs of one second get folders of their own. Raises DiskError, and leaves no folder, when it does not fit.
    """
    folder = _new_folder(runs, f"{started:%Y-%m-%dT%H-%M-%S}-{config.name}")
    try:
        with writing("the report", folder):
            for name, content in ((CONFIG, config.model_dump(mode="json")), (REPORT, report)):
                write_text_atomically(folder / name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    except DiskError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return (folder / REPORT).resolve()


def _new_folder(runs: Path, stem: str) -> Path:
    runs.mkdir(parents=True, exist_ok=True)
    for folder in (runs / stem, *(runs / f"{stem}-{number}" for number in range(2, 1000))):
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{runs / stem} and 998 more folders of that name exist")


def _peak_memory_mib(outcomes: Sequence[StepOutcome], training: Record) -> float | None:
    """Of this process, or of all that shared the training if that was done in this run and took more."""
    trained_here = any(outcome.name == training.step and not outcome.cached for outcome in outcomes)
    together = training.statistics.get("peak_memory_mib") if trained_here else None
    return max((figure for figure in (peak_memory_mib(), together) if figure is not None), default=None)


def _chosen(statistics: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    figures = {name: statistics.get(name) for name in names}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
