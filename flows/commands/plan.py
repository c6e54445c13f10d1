"""`python -m flows plan` and `accept`: they import no Prefect."""

import sys
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import DEFAULT_WORKSPACE, ConfigName, ContinueFrom, Settings, WorkspacePath
from flows.login import login
from seq2seq.config import load_config
from seq2seq.storage.artifacts import Workspace
from seq2seq.workspace import planning


def plan(
    config: ConfigName,
    /,
    *,
    settings: Settings | None = None,
    continue_from: ContinueFrom | None = None,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
) -> None:
    """Say which steps `train` would do, and why. Uses no network and writes nothing."""
    for step in planning.plan(load_config(config, settings or []), Workspace(workspace), continue_from):
        print(step)


def accept(
    step: str,
    config: ConfigName,
    /,
    *,
    settings: Settings | None = None,
    continue_from: ContinueFrom | None = None,
    by: Annotated[str, Parameter(help="Who says so.", show_default=lambda _: "the login name")] = "",
    why: Annotated[str, Parameter(help="Why the change does not matter.")] = "",
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
) -> None:
    """Say that a change of code, of a library, or a new setting at its default does not matter to a step's result.

    The result's record notes who said so, when, why, and what had changed.

    Parameters
    ----------
    step
        The step, as `plan` names it.
    """
    from tasks import acceptance

    checked = load_config(config, settings or [])
    who = by or login()
    record = acceptance.accept(step, checked, Workspace(workspace), who, why, continue_from, _say_waiting)
    if record is None or record.accepted is None:
        print(f"{step}: fresh already, nothing to accept")
    else:
        print(f"{step}: accepted, {', '.join(record.accepted.changes)}")


def _say_waiting(key: str) -> None:
    print(f"{key.partition('/')[0]}: a run is doing this step; waiting for its result", file=sys.stderr)
