"""A training on disk: all that the next step depends on, replaced as a whole."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from seq2seq.disk import writing
from seq2seq.errors import DiskError

FILE = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values; a reader finds the old checkpoint or the new one, never half of one.

    Raises DiskError when it cannot be written; the old checkpoint is as it was.
    """
    partial = folder / f"{FILE}.partial"
    try:
        with writing("the checkpoint", folder):
            folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as stream:  # given a path, torch.save does not say what the system said
                torch.save(state, stream)
            partial.replace(folder / FILE)
    except DiskError:
        with suppress(OSError):
            partial.unlink()
        raise


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """What was saved last, or None. Only tensors and plain values are read, never code."""
    path = folder / FILE
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
