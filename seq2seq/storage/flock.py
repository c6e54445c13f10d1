"""Locks of the kernel on files: they end with the process that holds them, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file, which is made where it is missing and stays.

    Gives False, and holds nothing, when another holds it and `wait` is False. Raises OSError where files cannot be
    made or the file system knows no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield taken(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether another process, or another open file of this one, holds the lock; False where the file is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not taken(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def taken(descriptor: int, operation: int) -> bool:
    """Lock an open file as `fcntl.flock` does; False when another holds it and LOCK_NB was among the flags."""
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    return True
