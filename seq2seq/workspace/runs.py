"""What runs left behind, and how two of them differ. Needs no PyTorch.

    runs/2026-11-22T09-41-07-demo/report.json    what was done, scores, figures of the training
    runs/2026-11-22T09-41-07-demo/config.json    all settings; runs of earlier versions have none

The records of a run's steps lie in the workspace, until they are pruned: then the report is what is left.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from seq2seq.config import Config, load_config, preset_names
from seq2seq.errors import UserError
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.workspace.report import CONFIG, REPORT

LAST = "last"
SHOWN_NAMES = 5


@dataclass(frozen=True)
class Run:
    """A run's folder with what its files say."""

    folder: Path
    report: Mapping[str, Any]
    """Empty when report.json is damaged, or may not be read."""
    config: Mapping[str, Any] | None
    """All settings; None when config.json is missing or damaged, or may not be read."""

    @property
    def name(self) -> str:
        """The folder's name: time and name of the configuration."""
        return self.folder.name

    @property
    def started(self) -> datetime:
        """When the run began, with a time zone; of a report that does not say so, when it was written."""
        if "started" in self.report:
            return datetime.fromisoformat(self.report["started"])
        return datetime.fromtimestamp((self.folder / REPORT).stat().st_mtime, UTC)

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """What became of each step."""
        steps: Sequence[Mapping[str, Any]] = self.report.get("steps", ())
        return steps

    @property
    def scores(self) -> Mapping[str, Any]:
        """BLEU and other scores."""
        scores: Mapping[str, Any] = self.report.get("scores", {})
        return scores

    @property
    def training(self) -> Mapping[str, Any]:
        """Figures of the training."""
        training: Mapping[str, Any] = self.report.get("training", {})
        return training

    @cached_property
    def evaluation(self) -> Record | None:
        """The record with the scores of the run's model, None when it is gone."""
        return self._record("evaluate", self.report.get("evaluation", ""))

    @property
    def training_minutes(self) -> float | None:
        """How long the model was trained, whenever that was, interruptions not counted; None when nothing tells."""
        step = next((step for step in self.steps if step["name"] == "train"), None)
        if step is None:
            return None
        record = self._record("train", step["key"])
        if record is not None:
            return float(record.statistics.get("seconds", record.seconds)) / 60
        return None if step["cached"] else float(step["seconds"]) / 60

    def translations(self) -> Path:
        """The table with the test pairs and their translations. Raises UserError when it is gone."""
        folder = self._workspace.root / self.evaluation.address if self.evaluation else None
        if folder is None or not (folder / "translations.jsonl").is_file():
            raise UserError(
                f"The translations of {self.name} are gone from the workspace: the same command as then makes them "
                "again."
            )
        return folder / "translations.jsonl"

    @property
    def _workspace(self) -> Workspace:
        return Workspace(self.folder.parent.parent)

    def _record(self, step: str, key: str) -> Record | None:
        return self._workspace.find(step, key) if key else None


def read_run(folder: Path) -> Run:
    """Read a run's files. Raises UserError when there is no report, or when it cannot be read."""
    path = folder / REPORT
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} is not the folder of a run: it has no {REPORT}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}. The same command as then writes a new report.") from None
    if not isinstance(report, dict):
        raise UserError(f"{path} holds no report. The same command as then writes a new one.")
    return Run(folder, report, _config(folder))


def all_runs(workspace: Path) -> list[Run]:
    """The runs of a workspace, the newest first; one whose report cannot be read has an empty one."""
    found = [_read_or_empty(path.parent) for path in (workspace / "runs").glob(f"[!.]*/{REPORT}")]
    return sorted(found, key=lambda run: (run.started, run.name), reverse=True)


def find_run(workspace: Path, wanted: str) -> Run:
    """The run that a person means: by its folder's name or the beginning of it, by its path, or `last`.

    The name of a configuration means its newest run, where no folder's name begins so. Raises UserError, with the names
    that may have been meant.
    """
    given = Path(wanted)
    if given.name == REPORT or (given / REPORT).is_file():
        return read_run(given.parent if given.name == REPORT else given)
    runs = all_runs(workspace)
    names = [run.name for run in runs]
    if not names:
        raise UserError(f"There is no run in {workspace / 'runs'} yet: `python -m flows train` makes one.")
    matching = names[:1] if wanted == LAST else [name for name in names if name.startswith(wanted)]
    if wanted in names or len(matching) == 1:
        return read_run(workspace / "runs" / (wanted if wanted in names else matching[0]))
    if matching:
        shown = ", ".join(matching[:SHOWN_NAMES]) + (", …" if len(matching) > SHOWN_NAMES else "")
        raise UserError(f"{wanted} is the beginning of {len(matching)} runs: {shown}. Give more of the name.")
    if of_that_name := [run for run in runs if run.report.get("name") == wanted]:
        return of_that_name[0]
    close = [name for name in names if wanted in name] or difflib.get_close_matches(wanted, names, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise UserError(f"There is no run {wanted} in {workspace / 'runs'}.{hint} `python -m flows runs list` shows them.")


def starting_point(config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """What a configuration is told against, and that in words: the preset of its name, else the defaults."""
    name = config.get("name")
    if name in preset_names():
        return f"the preset {name}", load_config(str(name)).model_dump(mode="json")
    return "the defaults", Config(name=name or "translator").model_dump(mode="json")


def significance(old: Run, new: Run) -> dict[str, Any]:
    """Paired bootstrap of two runs over their common test pairs, as `seq2seq.registry.comparison` does it.

    Raises UserError, which says why, when they cannot be compared.
    """
    settings = [_scored_with(run) for run in (old, new)]
    if settings[0].bleu_tokenizer != settings[1].bleu_tokenizer:
        raise UserError(
            f"BLEU was computed with the tokenizer {settings[0].bleu_tokenizer} in one run and with "
            f"{settings[1].bleu_tokenizer} in the other: set one evaluation.bleu_tokenizer for both."
        )
    tables = old.translations(), new.translations()
    from seq2seq.registry.comparison import compare_files  # sacreBLEU takes 0.3 s: only where it is asked

    return compare_files(settings[0], *tables)


def _scored_with(run: Run) -> EvaluationSettings:
    """What the signature says of the settings, which a run has even without its config.json."""
    parts = dict(part.partition(":")[::2] for part in str(run.scores.get("signature") or "").split("|"))
    if not {"tok", "bs"} <= parts.keys():
        raise UserError(f"{run.name} has no score with a signature.")
    return EvaluationSettings.model_validate({"bleu_tokenizer": parts["tok"], "bootstrap_samples": parts["bs"]})


def _read_or_empty(folder: Path) -> Run:
    try:
        return read_run(folder)
    except UserError:
        return Run(folder, {}, _config(folder))


def _config(folder: Path) -> Mapping[str, Any] | None:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None
