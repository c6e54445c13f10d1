"""`python -m flows train` and `evaluate`.

Importing Prefect takes seconds, so a command checks its configuration before it imports a flow.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from flows import console
from flows.commands.options import DEFAULT_WORKSPACE, ConfigName, ContinueFrom, Settings, WorkspacePath
from seq2seq.config import load_config
from seq2seq.errors import ConfigError
from seq2seq.registry.adoption import made_with
from seq2seq.registry.champions import resolve
from seq2seq.registry.inheritance import check
from seq2seq.registry.model_folder import check_model
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.storage.artifacts import Workspace

MAKES_A_MODEL = ("tokenization", "vocabulary", "model", "training", "promotion")
"""Sections that an evaluation does not read. It may set `training.bleu_tokenizer`, which has to fit the language."""


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
    _only_what_scoring_reads(settings or [])
    folder = resolve(model_dir)
    checked = load_config(str(model_dir), settings or [], base=made_with(folder))
    into = _way_back(folder, checked.corpus)
    with console.prefect_in_the_background():
        from flows.evaluate_translator import evaluate_translator

        report = evaluate_translator(str(model_dir), checked, str(workspace), split)
    show_report(Path(report), Workspace(workspace), into)


def show_report(path: Path, workspace: Workspace, into: str = "") -> None:
    """Print what a run came to; the last line names its report, for people and for scripts.

    `into` is the language that a model of both directions was asked to translate into, where it is not its own.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    keys = {step["name"]: step["key"] for step in report["steps"]}
    scores = workspace.find("evaluate", keys["evaluate"])
    print(console.summary(report, scores.statistics["examples"] if scores else [], into))
    print(f"report: {path}")


def _only_what_scoring_reads(settings: Iterable[str]) -> None:
    """Raise ConfigError for a setting that would be recorded as the model's, though the model was made with another."""
    for setting in settings:
        name = setting.partition("=")[0].strip()
        if name.partition(".")[0] in MAKES_A_MODEL and name != "training.bleu_tokenizer":
            raise ConfigError(
                f"--set {setting}: {name} shapes a training, and evaluate scores a finished model. It takes settings "
                "of corpus, cleaning, evaluation and runtime, and name."
            )


def _way_back(folder: Path, corpus: CorpusSettings) -> str:
    model = check_model(folder)
    ours, theirs = (model.source_language, model.target_language), (corpus.source_language, corpus.target_language)
    return corpus.target_language if ours == theirs[::-1] != theirs else ""
