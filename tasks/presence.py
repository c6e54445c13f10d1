"""A flow says that it is running, so that `workspace prune` leaves alone what it has used since it began."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq.storage.artifacts import Workspace
from seq2seq.storage.flock import locked


@contextmanager
def present(workspace: Workspace) -> Iterator[None]:
    """Hold a lock on a file of one's own in `locks/running/`; the file's time is when the flow began.

    The kernel frees the lock of a killed process: its file then says nothing. Raises OSError where the workspace
    cannot be written to.
    """
    mark = workspace.running / f"{uuid.uuid4()}.lock"
    with locked(mark):
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)
