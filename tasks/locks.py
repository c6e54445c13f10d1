"""Locks that the kernel frees: a killed process never leaves a step locked."""

import asyncio
import fcntl
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.2


class FileLocks:
    """Prefect's `LockManager` over `fcntl.flock`: one file for each key, below `folder`.

    The lock belongs to the open file, so it ends with the process however that ends, and holds between
    threads as between processes. The files stay: to remove one would let two processes lock two files
    of the same name. `on_wait` is called once with the key when someone else holds the lock.
    """

    def __init__(self, folder: Path, on_wait: Callable[[str], None] = lambda key: None) -> None:
        self._folder = folder
        self._on_wait = on_wait
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
        """Wait for the lock, at most `acquire_timeout` seconds; False when it stayed taken.

        `hold_timeout` is not needed: nothing holds a lock longer than its process lives.
        """
        if self.is_lock_holder(key, holder):
            return True
        descriptor = self._wait(key, acquire_timeout)
        if descriptor is None:
            return False
        with self._guard:
            self._held[key] = (holder, descriptor)
        return True

    def release_lock(self, key: str, holder: str) -> None:
        """Give the lock back; ValueError when `holder` does not hold it."""
        with self._guard:
            owner, descriptor = self._held.get(key, ("", -1))
            if owner != holder:
                raise ValueError(f"{holder} does not hold the lock of {key}")
            del self._held[key]
        os.close(descriptor)

    def is_locked(self, key: str) -> bool:
        """Whether anyone, in this process or another, holds the lock."""
        return not self.wait_for_lock(key, timeout=0)

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Whether `holder` took the lock through this object."""
        with self._guard:
            return self._held.get(key, ("", -1))[0] == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until nobody holds the lock, at most `timeout` seconds; False when it stayed taken."""
        descriptor = self._wait(key, timeout)
        if descriptor is None:
            return False
        os.close(descriptor)
        return True

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold the lock inside a `with` block."""
        holder = str(uuid.uuid4())
        self.acquire_lock(key, holder)
        try:
            yield
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

    def _wait(self, key: str, timeout: float | None) -> int | None:
        """Descriptor of the locked file, or None when `timeout` seconds passed without it."""
        path = self._folder / f"{key}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        deadline = None if timeout is None else time.monotonic() + timeout
        announced = False
        try:
            while not _try_lock(descriptor):
                if deadline is not None and time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                if not announced and timeout != 0:
                    self._on_wait(key)
                    announced = True
                time.sleep(POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
