"""The index of a workspace as Prefect's result storage."""

from pathlib import Path
from typing import Any

from prefect.filesystems import LocalFileSystem
from pydantic import PrivateAttr

from seq2seq.storage.artifacts import write_bytes_atomically


class IndexStorage(LocalFileSystem):
    """Stores records: a reader finds a whole one or none, whenever the writer is killed.

    Prefect's own storage writes in place. Prefect also offers the exception of a failed task, under a random name:
    that is no result, and is not stored. It goes on when a write fails; `error` then says why it did.
    """

    _block_type_name = "Index of a workspace"
    _error: OSError | None = PrivateAttr(None)

    @property
    def error(self) -> OSError | None:
        """Why a record could not be written."""
        return self._error

    def write_path(self, path: str, content: bytes, **dispatch: Any) -> None:
        """Write a record as a whole; raises OSError. `dispatch` is for Prefect's methods that are coroutines too."""
        place = self._resolve_path(path)
        if place.parent == Path(str(self.basepath)).resolve():
            return
        try:
            write_bytes_atomically(place, content)
        except OSError as error:
            self._error = error
            raise
