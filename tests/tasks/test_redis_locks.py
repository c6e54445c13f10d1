"""Locks in a Redis server, between objects as between machines."""

import asyncio
import copy
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from prefect.locking.protocol import LockManager

from seq2seq.config import load_config
from seq2seq.errors import ConfigError
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.storage.artifacts import Workspace
from tasks import redis_locks
from tasks.locking import locks_for
from tasks.locks import FileLocks
from tasks.redis_locks import LockLost, LocksUnavailable, RedisLocks, identity
from tests.tasks.conftest import StartRedis, free_port

CHECKOUT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from tasks.redis_locks import RedisLocks
RedisLocks(sys.argv[1], "workspace", expiry_seconds=2).acquire_lock("train/key.json", "other")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def locks(redis_address: str) -> Callable[..., RedisLocks]:
    """Makes locks of one workspace that end two seconds after the last renewal."""

    def make(on_wait: Callable[[str], None] = lambda key: None, identity: str = "workspace") -> RedisLocks:
        return RedisLocks(redis_address, identity, on_wait, expiry_seconds=2)

    return make


@pytest.fixture
def holder(redis_address: str) -> "Iterator[subprocess.Popen[str]]":
    """A process that holds the lock of `train/key.json`."""
    command = [sys.executable, "-c", HOLDER, redis_address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


Make = Callable[..., RedisLocks]


def test_it_is_a_lock_manager_for_prefect(locks: Make) -> None:
    assert isinstance(locks(), LockManager)


def test_a_lock_is_taken_once_and_given_back(locks: Make) -> None:
    one, two = locks(), locks()

    assert one.acquire_lock("a", "me")
    assert one.acquire_lock("a", "me")  # the holder has it already
    assert not two.acquire_lock("a", "you", acquire_timeout=0)
    assert (one.is_locked("a"), two.is_locked("a")) == (True, True)
    assert (one.is_lock_holder("a", "me"), one.is_lock_holder("a", "you")) == (True, False)
    with pytest.raises(ValueError, match="you does not hold the lock of a"):
        one.release_lock("a", "you")

    one.release_lock("a", "me")
    assert not one.is_locked("a")
    assert two.acquire_lock("a", "you", acquire_timeout=0)
    two.release_lock("a", "you")


def test_keys_with_dots_and_slashes_and_other_workspaces_are_different_locks(locks: Make) -> None:
    with locks().held("step/a.v1"):
        assert locks().is_locked("step/a.v1")
        assert not locks().is_locked("step/a.v2")
        assert not locks().is_locked("step/a")
        assert not locks(identity="another").is_locked("step/a.v1")


def test_a_holder_keeps_its_lock_longer_than_the_expiry(locks: Make) -> None:
    mine = locks()
    with mine.held("a"):
        assert not locks().acquire_lock("a", "you", acquire_timeout=5)
        mine.confirm("a")


def test_the_lock_of_a_process_killed_with_kill_9_ends_after_the_expiry(
    locks: Make, holder: "subprocess.Popen[str]"
) -> None:
    assert not locks().acquire_lock("train/key.json", "me", acquire_timeout=3)

    os.kill(holder.pid, signal.SIGKILL)

    next_one = locks()
    assert next_one.acquire_lock("train/key.json", "me", acquire_timeout=60)
    next_one.release_lock("train/key.json", "me")


def test_a_suspended_holder_loses_its_lock_and_cannot_take_it_from_the_next_one(
    locks: Make, holder: "subprocess.Popen[str]"
) -> None:
    holder.send_signal(signal.SIGSTOP)
    next_one = locks()
    assert next_one.acquire_lock("train/key.json", "me", acquire_timeout=60)

    holder.send_signal(signal.SIGCONT)
    time.sleep(1)  # it renews every half second

    next_one.confirm("train/key.json")
    next_one.release_lock("train/key.json", "me")


def test_whoever_lost_a_lock_learns_it_before_the_work_counts_as_done(locks: Make, redis_address: str) -> None:
    mine = locks()
    mine.acquire_lock("a", "me")
    redis.Redis.from_url(redis_address).flushall()

    with pytest.raises(LockLost, match=r"a: the lock at redis://127.* ended while this run held it"):
        mine.is_locked("a")
    assert isinstance(mine.refusal, LockLost)
    mine.release_lock("a", "me")
    with pytest.raises(LockLost), mine.held("b"):
        redis.Redis.from_url(redis_address).flushall()


def test_a_lock_found_lost_while_it_is_renewed_is_told_once(
    locks: Make, redis_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    mine = locks()
    mine.acquire_lock("a", "me")
    redis.Redis.from_url(redis_address).flushall()

    with caplog.at_level(logging.WARNING, redis_locks.__name__):
        wait_for(lambda: bool(caplog.messages))
        time.sleep(1.5)

    assert caplog.messages == ["The lock of a is lost: what is being made under it will not be recorded."]
    mine.release_lock("a", "me")


def test_a_server_that_is_back_with_the_locks_before_they_end_is_waited_for(start_redis: StartRedis) -> None:
    port = free_port()
    options = ("--appendonly", "yes", "--appendfsync", "always")
    server = start_redis(port, *options)
    mine = RedisLocks(f"redis://127.0.0.1:{port}", "workspace", expiry_seconds=60)
    mine.acquire_lock("a", "me")
    server.kill()
    server.wait()
    restart = threading.Timer(2, start_redis, (port, *options))
    restart.start()

    mine.confirm("a")

    restart.join()
    mine.release_lock("a", "me")


def test_a_server_that_stays_away_is_asked_until_the_lock_has_ended(start_redis: StartRedis) -> None:
    port = free_port()
    server = start_redis(port)
    mine = RedisLocks(f"redis://127.0.0.1:{port}", "workspace", expiry_seconds=1)
    mine.acquire_lock("a", "me")
    server.kill()
    server.wait()

    with pytest.raises(LocksUnavailable, match=rf"The Redis server redis://127\.0\.0\.1:{port} .* does not answer"):
        mine.confirm("a")

    assert isinstance(mine.refusal, LocksUnavailable)
    mine.release_lock("a", "me")


def test_a_server_that_is_not_there_is_named_with_the_way_out() -> None:
    nowhere = RedisLocks(f"redis://127.0.0.1:{free_port()}", "workspace")

    with pytest.raises(LocksUnavailable, match=r"of runtime\.locks does not answer: .* Start it, or correct"):
        nowhere.acquire_lock("a", "me")


def test_the_password_comes_from_the_environment(start_redis: StartRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    start_redis(port, "--requirepass", "secret")
    address = f"redis://127.0.0.1:{port}"

    with pytest.raises(ConfigError, match=r"wants another password: .* REDISCLI_AUTH"):
        RedisLocks(address, "workspace").is_locked("a")

    monkeypatch.setenv("REDISCLI_AUTH", "secret")
    assert not RedisLocks(address, "workspace").is_locked("a")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("localhost:6379", "should be empty or begin with redis://, rediss://, unix://"),
        ("redis://localhost:port", "Port could not be cast"),
        ("redis://:secret@localhost", "put it into the environment as REDISCLI_AUTH"),
        ("unix:///run/redis?password=secret", "put it into the environment as REDISCLI_AUTH"),
    ],
)
def test_an_address_that_cannot_be_one_is_a_wrong_setting(address: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_config("demo", [f"runtime.locks={address}"])


def test_the_setting_decides_which_locks_a_run_uses(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    assert isinstance(locks_for(workspace, RuntimeSettings()), FileLocks)
    assert isinstance(locks_for(workspace, RuntimeSettings(locks="redis://localhost")), RedisLocks)


def test_a_workspace_that_others_lock_by_redis_is_not_locked_without_an_address(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    locks_for(workspace, RuntimeSettings(locks="redis://localhost"))

    with pytest.raises(ConfigError, match=r"locks/identity says .* Set runtime\.locks .* --locks\)\. .* remove that"):
        locks_for(workspace, RuntimeSettings())
    (tmp_path / "locks" / "identity").unlink()
    assert isinstance(locks_for(workspace, RuntimeSettings()), FileLocks)


def test_without_the_package_the_setting_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "tasks.redis_locks")

    with pytest.raises(ConfigError, match=r"needs the package redis, which is not installed here: .*\[redis\]"):
        locks_for(Workspace(tmp_path), RuntimeSettings(locks="redis://localhost"))


def test_all_who_ask_at_once_find_one_identity_in_a_workspace(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(identity(tmp_path / "locks"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["identity"]


def test_the_asynchronous_forms_do_the_same(locks: Make) -> None:
    mine = locks()

    assert asyncio.run(mine.aacquire_lock("a", "me", 0))
    assert not asyncio.run(mine.await_for_lock("a", 0))
    mine.release_lock("a", "me")
    assert asyncio.run(mine.await_for_lock("a", 0))


def test_whoever_waits_is_told_once(locks: Make) -> None:
    told: list[str] = []
    with locks().held("a"):
        assert not locks(told.append).acquire_lock("a", "you", acquire_timeout=1)
    assert told == ["a"]


def test_a_copy_in_another_process_locks_the_same_keys_and_holds_nothing(locks: Make) -> None:
    mine = locks()
    assert mine.acquire_lock("a", "me")
    copied = copy.deepcopy(mine)

    assert mine.is_lock_holder("a", "me")
    assert not copied.is_lock_holder("a", "me")
    assert copied.is_locked("a")
    mine.release_lock("a", "me")


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
