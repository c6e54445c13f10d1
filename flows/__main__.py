"""The command line: `python -m flows train demo`.

Importing Prefect takes seconds, so a command checks its configuration before it imports a flow.
"""

import json
import os
import signal
import sys
import traceback as tracebacks
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from flows import console
from seq2seq import planning
from seq2seq.adoption import made_with
from seq2seq.artifacts import Workspace
from seq2seq.config import load_config
from seq2seq.errors import Seq2SeqError, TrainingInterrupted, UserError

app = App(name="python -m flows", help="Train translation models, and score them.", version_flags=[])

Settings = Annotated[
    list[str],
    Parameter(name="--set", negative="", help="section.field=value, for example training.learning_rate=0.001."),
]
WorkspacePath = Annotated[Path, Parameter(name="--workspace", help="Folder that holds everything made so far.")]
Traceback = Annotated[bool, Parameter(name="--traceback", negative="", help="Show where an error came from.")]

DEFAULT_WORKSPACE = Path("workspace")


@app.command
def train(
    config: str,
    *,
    settings: Settings | None = None,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    traceback: Traceback = False,
) -> int:
    """Train a translator and score it. What is in the workspace already is not made again.

    Parameters
    ----------
    config
        Name of a preset (demo, multi30k, …) or path of a TOML file.
    """

    def work() -> None:
        checked = load_config(config, settings or [])
        with console.prefect_in_the_background(traceback):
            from flows.train_translator import train_translator

            report = train_translator(checked, str(workspace))
        show_report(Path(report), Workspace(workspace))

    return guarded(work, traceback)


@app.command
def evaluate(
    model_dir: Path,
    *,
    settings: Settings | None = None,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    traceback: Traceback = False,
) -> int:
    """Score a model folder, on the test set that it was trained with or on another (--set corpus.test=…).

    Parameters
    ----------
    model_dir
        A model folder; its pipeline.json says where its corpus came from, --set says what differs.
    """

    def work() -> None:
        checked = load_config(str(model_dir), settings or [], base=made_with(model_dir))
        with console.prefect_in_the_background(traceback):
            from flows.evaluate_translator import evaluate_translator

            report = evaluate_translator(str(model_dir), checked, str(workspace))
        show_report(Path(report), Workspace(workspace))

    return guarded(work, traceback)


@app.command
def plan(
    config: str,
    *,
    settings: Settings | None = None,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    traceback: Traceback = False,
) -> int:
    """Say which steps `train` would do, and why. Uses no network and writes nothing.

    Parameters
    ----------
    config
        Name of a preset (demo, multi30k, …) or path of a TOML file.
    """

    def work() -> None:
        for step in planning.plan(load_config(config, settings or []), Workspace(workspace)):
            print(f"{step.name:<10} {step.answer:<7} {step.why}".rstrip())

    return guarded(work, traceback)


def guarded(work: Callable[[], None], traceback: bool) -> int:
    """Do `work`, and turn errors into a message and an exit code."""
    try:
        work()
    except (Exception, KeyboardInterrupt) as error:
        if traceback:
            tracebacks.print_exception(error)
        print(explain(error), file=sys.stderr)
        return exit_code(error)
    return 0


def show_report(path: Path, workspace: Workspace) -> None:
    """Print what a run came to; the last line names its report, for people and for scripts."""
    report = json.loads(path.read_text(encoding="utf-8"))
    keys = {step["name"]: step["key"] for step in report["steps"]}
    scores = workspace.find("evaluate", keys["evaluate"])
    print(console.summary(report, scores.statistics["examples"] if scores else []))
    print(f"report: {path}")


def explain(error: BaseException) -> str:
    """What went wrong and what to do, without a traceback."""
    if isinstance(error, TrainingInterrupted):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. What is done stays done: the same command goes on from there."
    if isinstance(error, Seq2SeqError):
        return f"error: {error}"
    return f"error: {type(error).__name__}: {error}\nThis was not foreseen; --traceback shows where it came from."


def exit_code(error: BaseException) -> int:
    """2 for what the person can mend, 128 and the signal's number for an interruption, 1 otherwise."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, TrainingInterrupted):
        return 128 + int(getattr(error, "signal_number", signal.SIGINT))
    return 2 if isinstance(error, UserError) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code; a wrong command line is one that the person can mend: 2."""
    for name, value in console.ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return app(arguments, exit_on_error=False, result_action="return_value") or 0
    except CycloptsError:  # printed already
        return 2


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # translations on any terminal
    sys.exit(main())
