"""The command line: `python -m flows train demo`.

Importing Prefect takes seconds, so a command checks its configuration before it imports a flow.
"""

import json
import os
import signal
import sys
import traceback as tracebacks
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from flows import console
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

    def work() -> str:
        checked = load_config(config, settings or [])
        with console.prefect_in_the_background(traceback):
            from flows.train_translator import train_translator

            return train_translator(checked, str(workspace))

    return guarded(work, traceback)


def guarded(work: Callable[[], str], traceback: bool) -> int:
    """Do `work`, show the report that it wrote, and turn errors into a message and an exit code."""
    try:
        report = Path(work())
    except (Exception, KeyboardInterrupt) as error:
        if traceback:
            tracebacks.print_exception(error)
        print(explain(error), file=sys.stderr)
        return exit_code(error)
    print(console.summary(json.loads(report.read_text(encoding="utf-8"))))
    print(f"report: {report}")
    return 0


def explain(error: BaseException) -> str:
    """What went wrong and what to do, without a traceback."""
    if isinstance(error, TrainingInterrupted | KeyboardInterrupt):
        told = f"{error}\n" if str(error) else "Interrupted.\n"
        return f"{told}The same command goes on from there."
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


def main() -> None:
    """Run the command line; a wrong command line ends with exit code 2."""
    for name, value in console.ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        code = app(exit_on_error=False, result_action="return_value")
    except CycloptsError:  # it has been printed
        code = 2
    sys.exit(code)


if __name__ == "__main__":
    main()
