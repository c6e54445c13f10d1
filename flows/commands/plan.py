"""`python -m flows plan` and `accept`: they import no Prefect."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import DEFAULT_WORKSPACE, Settings, Traceback, WorkspacePath
from flows.guard import guarded
from flows.login import login
from seq2seq import planning
from seq2seq.artifacts import Workspace
from seq2seq.config import load_config

ContinueFrom = Annotated[
    Path,
    Parameter(help="A model folder (or a language pair's, for its champion) that the training goes on from."),
]


def plan(
    config: str,
    *,
    settings: Settings | None = None,
    continue_from: ContinueFrom | None = None,
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
        for step in planning.plan(load_config(config, settings or []), Workspace(workspace), continue_from):
            print(step)

    return guarded(work, traceback)


def accept(
    step: str,
    config: str,
    *,
    settings: Settings | None = None,
    continue_from: ContinueFrom | None = None,
    by: Annotated[str, Parameter(help="Who says so.  [default: the login name]")] = "",
    why: Annotated[str, Parameter(help="Why the change does not matter.")] = "",
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    traceback: Traceback = False,
) -> int:
    """Say that a change of code or of a library does not matter: a step's present result counts as fresh.

    The result's record notes who said so, when, why, and what had changed.

    Parameters
    ----------
    step
        The step, as `plan` names it.
    config
        Name of a preset (demo, multi30k, …) or path of a TOML file.
    """

    def work() -> None:
        from tasks import acceptance

        checked = load_config(config, settings or [])
        who = by or login()
        record = acceptance.accept(step, checked, Workspace(workspace), who, why, continue_from, _say_waiting)
        if record is None or record.accepted is None:
            print(f"{step}: fresh already, nothing to accept")
        else:
            print(f"{step}: accepted, {', '.join(record.accepted.changes)}")

    return guarded(work, traceback)


def _say_waiting(key: str) -> None:
    print(f"{key.partition('/')[0]}: a run is doing this step; waiting for its result", file=sys.stderr)
