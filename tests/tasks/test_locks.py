"""Locks between threads and processes."""

import asyncio
import copy
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prefect.locking.protocol import LockManager

from tasks.locks import FileLocks

HOLDER = """
import sys, time
from pathlib import Path
from tasks.locks import FileLocks
FileLocks(Path(sys.argv[1])).acquire_lock("train/key.json", "other")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other_process(tmp_path: Path) -> "subprocess.Popen[str]":
    """A process that holds the lock of `train/key.json`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_it_is_a_lock_manager_for_prefect(tmp_path: Path) -> None:
    assert isinstance(FileLocks(tmp_path), LockManager)


def test_a_lock_is_taken_once_and_given_back(tmp_path: Path) -> None:
    one, two = FileLocks(tmp_path), FileLocks(tmp_path)

    assert one.acquire_lock("a", "me")
    assert one.acquire_lock("a", "me")  # the holder has it already
    assert not two.acquire_lock("a", "you", acquire_timeout=0)
    assert (one.is_locked("a"), two.is_locked("a")) == (True, True)
    assert (one.is_lock_holder("a", "me"), one.is_lock_holder("a", "you")) == (True, False)

    one.release_lock("a", "me")
    assert not one.is_locked("a")
    assert two.acquire_lock("a", "you", acquire_timeout=0)
    two.release_lock("a", "you")


def test_keys_with_dots_and_slashes_are_different_locks(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    with locks.held("step/a.v1"):
        assert not locks.is_locked("step/a.v2")
        assert not locks.is_locked("step/a")


def test_only_the_holder_gives_a_lock_back(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    with locks.held("a"), pytest.raises(ValueError, match="you does not hold the lock of a"):
        locks.release_lock("a", "you")


def test_two_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    inside, most = [], []

    def work() -> None:
        with FileLocks(tmp_path).held("a"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_whoever_waits_is_told_once_and_goes_on_when_the_holder_is_done(tmp_path: Path) -> None:
    told: list[str] = []
    holder, waiter = FileLocks(tmp_path), FileLocks(tmp_path, on_wait=told.append)
    holder.acquire_lock("a", "me")
    release = threading.Timer(0.5, holder.release_lock, ("a", "me"))
    release.start()

    assert waiter.acquire_lock("a", "you", acquire_timeout=30)

    release.join()
    assert told == ["a"]
    waiter.release_lock("a", "you")


def test_a_process_killed_with_kill_9_leaves_no_lock(tmp_path: Path, other_process: "subprocess.Popen[str]") -> None:
    locks = FileLocks(tmp_path)
    assert locks.is_locked("train/key.json")
    assert not locks.wait_for_lock("train/key.json", timeout=0.3)

    os.kill(other_process.pid, signal.SIGKILL)

    assert locks.acquire_lock("train/key.json", "me", acquire_timeout=10)
    locks.release_lock("train/key.json", "me")


def test_the_asynchronous_forms_do_the_same(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)

    assert asyncio.run(locks.aacquire_lock("a", "me", 0))
    assert not asyncio.run(locks.await_for_lock("a", 0))
    locks.release_lock("a", "me")
    assert asyncio.run(locks.await_for_lock("a", 0))


def test_a_copy_in_another_process_locks_the_same_files_and_holds_nothing(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    assert locks.acquire_lock("a", "me")
    copied = copy.deepcopy(locks)  # by the same __reduce__ that takes it to another process

    assert locks.is_lock_holder("a", "me")
    assert not copied.is_lock_holder("a", "me")
    assert copied.is_locked("a")
    locks.release_lock("a", "me")
