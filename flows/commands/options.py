"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from seq2seq.config import validate_config
from seq2seq.settings.runtime import RuntimeSettings

Settings = Annotated[
    list[str],
    Parameter(name="--set", negative="", help="section.field=value, for example training.learning_rate=0.001."),
]
WorkspacePath = Annotated[
    Path,
    Parameter(
        name="--workspace", validator=validators.Path(file_okay=False), help="Folder that holds everything made so far."
    ),
]
Traceback = Annotated[bool, Parameter(name="--traceback", negative="", help="Show where an error came from.")]
LockServer = Annotated[
    str,
    Parameter(name="--locks", negative="", help="runtime.locks of the runs on this workspace; empty: the kernel's."),
]

DEFAULT_WORKSPACE = Path("workspace")


def with_locks(locks: str) -> RuntimeSettings:
    """The runtime settings of a command that takes `--locks`. Raises ConfigError for an address that is none."""
    return validate_config({"runtime": {"locks": locks}}, "--locks").runtime
