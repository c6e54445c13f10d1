"""A training on disk: all that the next step depends on, replaced as a whole."""

from pathlib import Path
from typing import Any

import torch

FILE = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values; a reader finds the old checkpoint or the new one, never half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{FILE}.partial"
    torch.save(state, partial)
    partial.replace(folder / FILE)


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """What was saved last, or None. Only tensors and plain values are read, never code."""
    path = folder / FILE
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
