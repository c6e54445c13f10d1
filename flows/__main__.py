"""The command line: `python -m flows train demo`.

The commands lie in `flows/commands/`, one module each, and are imported only when they are asked for.
"""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from flows import console
from seq2seq.guard import TRACEBACK, guarded, open_what_is_shut

Words = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]
Traceback = Annotated[
    bool,
    Parameter(name="--traceback", negative="", group="With every command", help="Show where an error came from."),
]


def shown(default: object) -> str | None:
    """A default as the help shows it; None, which hides it, for empty text and a switch that is off."""
    return f"{default:g}" if isinstance(default, float) else str(default) if default else None


INTERRUPTED = "Interrupted. What is done stays done: the same command goes on from there."

app = App(
    name="python -m flows",
    help="Train translation models, and score them.",
    version_flags=[],
    default_parameter=Parameter(show_default=shown),
)
app.suppress_keyboard_interrupt = app.meta.suppress_keyboard_interrupt = False  # it is the guard's
app.command("flows.commands.train:train", help="Train a translator and score it.")
app.command("flows.commands.train:evaluate", help="Score a model folder on a test set.")
app.command("flows.commands.retrain:retrain", help="Train on the data as it is now, and promote the better model.")
app.command("flows.commands.plan:plan", help="Say which steps a training would do, and why.")
app.command(
    "flows.commands.settings:settings",
    help="Every setting: its value, what it may be, and what it does.",
    usage="python -m flows settings [OPTIONS] [CONFIG]",
)
app.command(
    "flows.commands.plan:accept",
    help="Let a step's result count although code, a library or the list of settings changed.",
)
app.command(
    "flows.commands.models:app", name="models", help="The models of each language pair: list, promote, rollback."
)
app.command("flows.commands.runs:app", name="runs", help="What runs did: list, show, compare.")
app.command("flows.commands.deploy:deploy", help="Register the deployments of prefect.yaml with Prefect's server.")
app.command("flows.commands.worker:worker", help="Do the runs that deployments ask for.")
app.command("flows.commands.corpus:app", name="corpus", help="Say that a corpus changed.")
app.command("flows.commands.automations:app", name="automations", help="What the server does about runs that died.")
app.command("flows.commands.workspace:app", name="workspace", help="Say what the disk holds, and prune it.")


@app.meta.default
def _with_options_of_all_commands(*words: Words, traceback: Traceback = False) -> None:
    TRACEBACK.set(traceback)
    try:
        app(words, exit_on_error=False, result_action="return_value")
    except UnusedCliTokensError:  # which cyclopts has printed
        if any(word == "--set" and "=" not in value for word, value in pairwise(words)):
            print("A setting is written with an equals sign: --set training.max_minutes=3.", file=sys.stderr)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code; a wrong command line is one that the person can mend: 2."""
    for name, value in console.ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return guarded(
        lambda: app.meta(arguments, exit_on_error=False, result_action="return_value"), INTERRUPTED, (CycloptsError,)
    )


def look_for_garbage_rarely() -> None:
    """Take a third off a short command: what its imports make stays, and Python looks through it time and again.

    At the end of the interpreter, too, where nothing is left that a search could free.
    """
    gc.set_threshold(50_000, 20, 100)
    atexit.register(gc.freeze)


if __name__ == "__main__":
    open_what_is_shut()
    look_for_garbage_rarely()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # translations on any terminal
    sys.exit(main())
