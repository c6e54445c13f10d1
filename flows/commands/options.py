"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Settings = Annotated[
    list[str],
    Parameter(name="--set", negative="", help="section.field=value, for example training.learning_rate=0.001."),
]
WorkspacePath = Annotated[Path, Parameter(name="--workspace", help="Folder that holds everything made so far.")]
Traceback = Annotated[bool, Parameter(name="--traceback", negative="", help="Show where an error came from.")]
LockServer = Annotated[
    str,
    Parameter(name="--locks", negative="", help="runtime.locks of the runs on this workspace; empty: the kernel's."),
]

DEFAULT_WORKSPACE = Path("workspace")
