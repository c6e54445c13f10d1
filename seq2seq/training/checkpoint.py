"""A training on disk: all that the next step depends on, replaced as a whole."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch

from seq2seq.errors import DiskError, UserError
from seq2seq.storage.disk import writing

FILE = "checkpoint.pt"
NOTHING_TO_FINISH = (
    "runtime.finish = true publishes what a stopped training has learned, and nothing of this training is done: there "
    "is no checkpoint for just these texts, settings and code."
)


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
                stream.flush()
                os.fsync(stream.fileno())  # or a machine that loses power may hold a new name and no content
            partial.replace(folder / FILE)
    except DiskError:
        with suppress(OSError):
            partial.unlink()
        raise


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """What was saved last, or None. Only tensors and plain values are read, never code.

    Raises UserError for a file that is damaged: how much was trained by then only a person can weigh.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    if not _is_whole(path):
        raise UserError(
            f"{path} is damaged, and the training cannot go on from it. Put a copy in its place, or remove it: the "
            "same command then starts the training anew."
        )
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _is_whole(path: Path) -> bool:
    """Whether the file holds what was written: the checksums in it say so."""
    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except BadZipFile:
        return False
