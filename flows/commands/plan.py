"""`python -m flows plan`: imports no Prefect."""

from flows.commands.options import DEFAULT_WORKSPACE, Settings, Traceback, WorkspacePath
from flows.guard import guarded
from seq2seq import planning
from seq2seq.artifacts import Workspace
from seq2seq.config import load_config


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
