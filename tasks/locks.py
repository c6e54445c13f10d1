"""Locks between processes: what they have in common, and those of one machine, which its kernel frees.

Which kind a run uses is chosen in `tasks/locking.py`.
"""

import asyncio
import os
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB
from pathlib import Path
from typing import Any

from seq2seq.errors import Seq2SeqError
from seq2seq.storage.flock import taken

POLL_SECONDS = 0.2
IDENTITY = "identity"
"""File among a workspace's locks with its name in a Redis server: it is there where runs lock by one."""


class Locks(ABC):
    """Prefect's `LockManager`, and `held` for everybody else. All times are seconds.

    `on_wait` is called once with the key when someone else holds the lock, and `on_poll` before each further attempt:
    what it raises ends the wait. `refusal` says why a result was not recorded, since Prefect keeps to itself what goes
    wrong while it records one.
    """

    def __init__(
        self, on_wait: Callable[[str], None] = lambda key: None, on_poll: Callable[[], None] = lambda: None
    ) -> None:
        self.on_wait = on_wait
        self.on_poll = on_poll
        self.refusal: Seq2SeqError | None = None

    @abstractmethod
    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Wait for the lock, at most `acquire_timeout`; False when it stayed taken.

        `hold_timeout` is not needed: nothing holds a lock longer than its process lives.
        """

    @abstractmethod
    def release_lock(self, key: str, holder: str) -> None:
        """Give the lock back; ValueError when `holder` does not hold it."""

    @abstractmethod
    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Whether `holder` took the lock through this object."""

    @abstractmethod
    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until nobody holds the lock, at most `timeout`; False when it stayed taken."""

    def confirm(self, key: str) -> None:
        """Raise LockLost when a lock taken through this object is gone. A lock of the kernel cannot be lost."""
        return None

    def is_locked(self, key: str) -> bool:
        """Whether anyone, in this process or another, holds the lock."""
        return not self.wait_for_lock(key, timeout=0)

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold the lock inside a `with` block."""
        holder = str(uuid.uuid4())
        self.acquire_lock(key, holder)
        try:
            yield
            self.confirm(key)
        finally:
            self.release_lock(key, holder)

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """`acquire_lock` without blocking the event loop."""
        return await asyncio.to_thread(self.acquire_lock, key, holder, acquire_timeout, hold_timeout)

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """`wait_for_lock` without blocking the event loop."""
        return await asyncio.to_thread(self.wait_for_lock, key, timeout)


class FileLocks(Locks):
    """Locks over `fcntl.flock`: one file for each key, below `folder`.

    The lock belongs to the open file, so it ends with the process however that ends, and holds between
    threads as between processes. The files stay: to remove one would let two processes lock two files
    of the same name.
    """

    def __init__(
        self,
        folder: Path,
        on_wait: Callable[[str], None] = lambda key: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(on_wait, on_poll)
        self._folder = folder
        self._guard = threading.Lock()
        self._held: dict[str, tuple[str, int]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return FileLocks, (self._folder,)

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        if self.is_lock_holder(key, holder):
            return True
        descriptor = self._wait(key, acquire_timeout)
        if descriptor is None:
            return False
        with self._guard:
            self._held[key] = (holder, descriptor)
        return True

    def release_lock(self, key: str, holder: str) -> None:
        with self._guard:
            owner, descriptor = self._held.get(key, ("", -1))
            if owner != holder:
                raise ValueError(f"{holder} does not hold the lock of {key}")
            del self._held[key]
        os.close(descriptor)

    def is_lock_holder(self, key: str, holder: str) -> bool:
        with self._guard:
            return self._held.get(key, ("", -1))[0] == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        descriptor = self._wait(key, timeout)
        if descriptor is None:
            return False
        os.close(descriptor)
        return True

    def _wait(self, key: str, timeout: float | None) -> int | None:
        """Descriptor of the locked file, or None when `timeout` passed without it."""
        path = self._folder / f"{key}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            got_it = wait_until(
                lambda: taken(descriptor, LOCK_EX | LOCK_NB), timeout, lambda: self.on_wait(key), self.on_poll
            )
        except BaseException:
            os.close(descriptor)
            raise
        if not got_it:
            os.close(descriptor)
            return None
        return descriptor


def wait_until(
    attempt: Callable[[], bool],
    timeout: float | None,
    on_wait: Callable[[], None],
    on_poll: Callable[[], None] = lambda: None,
) -> bool:
    """Repeat `attempt` until it succeeds, at most `timeout` seconds; False when it did not.

    `on_wait` is called once, after the first attempt failed and only where there is time to wait; `on_poll` before
    each further attempt.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    if attempt():
        return True
    if timeout != 0:
        on_wait()
    while deadline is None or time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        on_poll()
        if attempt():
            return True
    return False
