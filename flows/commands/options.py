"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from seq2seq.config import validate_config
from seq2seq.settings.runtime import RuntimeSettings

ConfigName = Annotated[str, Parameter(help="Name of a preset (demo, multi30k, …) or path of a TOML file.")]
ContinueFrom = Annotated[
    Path,
    Parameter(
        help="A model folder (or a language pair's, for its champion) whose weights and vocabulary to start from. The "
        "texts may be others; languages, network (but for its dropout) and the sections vocabulary and tokenization "
        "must be equal. Optimizer, schedule and warm-up begin anew with the training settings of this run, its limits "
        "count from here, and the model is kept as it is where nothing better was found on validation."
    ),
]
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
LockServer = Annotated[
    str,
    Parameter(name="--locks", negative="", help="runtime.locks of the runs on this workspace; empty: the kernel's."),
]

DEFAULT_WORKSPACE = Path("workspace")


def with_locks(locks: str) -> RuntimeSettings:
    """The runtime settings of a command that takes `--locks`. Raises ConfigError for an address that is none."""
    return validate_config({"runtime": {"locks": locks}}, "--locks").runtime
