"""`python -m flows train` and `evaluate`.

Importing Prefect takes seconds, so a command checks its configuration before it imports a flow.
"""

import json
from pathlib import Path
from typing import Literal

from flows import console
from flows.commands.options import DEFAULT_WORKSPACE, ConfigName, ContinueFrom, Settings, WorkspacePath
from seq2seq.config import load_config
from seq2seq.registry.adoption import made_with
from seq2seq.registry.champions import resolve
from seq2seq.registry.inheritance import check
from seq2seq.workspace.artifacts import Workspace


def train(
    config: ConfigName,
    /,
    *,
    settings: Settings | None = None,
    continue_from: ContinueFrom | None = None,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
) -> None:
    """Train a translator and score it. What is in the workspace already is not made again."""
    checked = load_config(config, settings or [])
    if continue_from is not None:
        check(resolve(continue_from), checked)
    with console.prefect_in_the_background():
        from flows.train_translator import train_translator

        report = train_translator(checked, str(workspace), str(continue_from or ""))
    show_report(Path(report), Workspace(workspace))


def evaluate(
    model_dir: Path,
    /,
    *,
    split: Literal["test", "valid"] = "test",
    settings: Settings | None = None,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
) -> None:
    """Score a model folder, on the test set that it was trained with or on another (--set corpus.test=…).

    Parameters
    ----------
    model_dir
        A model folder, or a language pair's (models/ko-en) for its champion; its pipeline.json says where its corpus
        came from, but for the folder of files (--set corpus.directory=…); --set says what else differs.
    split
        valid: score on the validation split, to compare settings.
    """
    checked = load_config(str(model_dir), settings or [], base=made_with(resolve(model_dir)))
    with console.prefect_in_the_background():
        from flows.evaluate_translator import evaluate_translator

        report = evaluate_translator(str(model_dir), checked, str(workspace), split)
    show_report(Path(report), Workspace(workspace))


def show_report(path: Path, workspace: Workspace) -> None:
    """Print what a run came to; the last line names its report, for people and for scripts."""
    report = json.loads(path.read_text(encoding="utf-8"))
    keys = {step["name"]: step["key"] for step in report["steps"]}
    scores = workspace.find("evaluate", keys["evaluate"])
    print(console.summary(report, scores.statistics["examples"] if scores else []))
    print(f"report: {path}")
