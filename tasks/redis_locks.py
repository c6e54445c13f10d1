"""Locks in a Redis server, for a workspace that several machines share.

A lock is redis-py's own: a key that expires, with the token of its holder, which the scripts that renew and remove it
check. A thread renews what is held: a lock lasts as long as its holder needs it, and ends at most an expiry after the
holder was killed.

A lock can be lost: its holder was suspended or cut off for longer than the expiry, or the server came back empty. The
holder learns it with the next renewal, and at the latest when its result is to be recorded, which then does not happen.
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import AuthenticationError, LockNotOwnedError, RedisError
from redis.lock import Lock

from seq2seq.errors import ConfigError, Seq2SeqError, SourceUnavailable
from tasks.locks import IDENTITY, POLL_SECONDS, Locks, wait_until

EXPIRY_SECONDS = 60.0
RENEWALS_PER_EXPIRY = 4
ANSWER_SECONDS = 10.0

log = logging.getLogger(__name__)


class LocksUnavailable(SourceUnavailable):
    """The Redis server does not answer."""


class LockLost(Seq2SeqError):
    """A lock ended before its holder was done."""


@dataclass
class Holding:
    """A lock that this process took."""

    holder: str
    lock: Lock
    lost: bool = False


class RedisLocks(Locks):
    """Locks in the Redis server at `address`, under keys that begin with `identity`, that of a workspace.

    They end `expiry_seconds` after the last renewal, of which there are four in that time. The server's password is
    read from REDISCLI_AUTH, the variable that Redis' own command line reads. LocksUnavailable where the server does
    not answer, ConfigError where it wants another password.
    """

    def __init__(
        self,
        address: str,
        identity: str,
        on_wait: Callable[[str], None] = lambda key: None,
        on_poll: Callable[[], None] = lambda: None,
        expiry_seconds: float = EXPIRY_SECONDS,
    ) -> None:
        super().__init__(on_wait, on_poll)
        self._address = address
        self._identity = identity
        self._expiry_seconds = expiry_seconds
        self._client = redis.Redis.from_url(
            address,
            password=os.environ.get("REDISCLI_AUTH"),
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
        )
        self._guard = threading.Lock()
        self._held: dict[str, Holding] = {}
        self._renewing = False

    def __reduce__(self) -> tuple[Any, ...]:
        return RedisLocks, (self._address, self._identity)

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        if self.is_lock_holder(key, holder):
            return True
        lock = Lock(self._client, self._name(key), timeout=self._expiry_seconds, thread_local=False)
        with self._answering():
            taken = wait_until(
                lambda: lock.acquire(blocking=False), acquire_timeout, lambda: self.on_wait(key), self.on_poll
            )
        if taken:
            self._keep(key, Holding(holder, lock))
        return taken

    def release_lock(self, key: str, holder: str) -> None:
        with self._guard:
            holding = self._held.get(key)
            if holding is None or holding.holder != holder:
                raise ValueError(f"{holder} does not hold the lock of {key}")
            del self._held[key]
        try:
            holding.lock.release()
        except LockNotOwnedError:
            log.warning("The lock of %s was lost before it was given back.", key)
        except RedisError as error:
            log.warning("The lock of %s ends by itself within %g s: %s", key, self._expiry_seconds, error)

    def is_lock_holder(self, key: str, holder: str) -> bool:
        with self._guard:
            return key in self._held and self._held[key].holder == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        with self._answering():
            return wait_until(
                lambda: not self._client.exists(self._name(key)), timeout, lambda: self.on_wait(key), self.on_poll
            )

    def is_locked(self, key: str) -> bool:
        """Whether anyone holds the lock, as Prefect asks before it writes a result; LockLost when ours is gone."""
        self.confirm(key)
        return super().is_locked(key)

    def confirm(self, key: str) -> None:
        """Ask the server whether a lock taken here is still ours; LockLost when it is not.

        A server that does not answer is asked for as long as the lock can last.
        """
        with self._guard:
            holding = self._held.get(key)
        if holding is None:
            return
        try:
            if not self._owns(holding):
                raise LockLost(
                    f"{key}: the lock at {self._address} ended while this run held it: the run was suspended or "
                    f"cut off for more than {self._expiry_seconds:g} s, or the server was emptied. Another run may "
                    "have done the same, so this result is not recorded; the same command takes what is there."
                )
        except Seq2SeqError as refusal:
            self.refusal = refusal
            raise

    def _owns(self, holding: Holding) -> bool:
        deadline = time.monotonic() + self._expiry_seconds
        while True:
            try:
                with self._answering():
                    return bool(holding.lock.owned())
            except LocksUnavailable:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _name(self, key: str) -> str:
        return f"seq2seq-flows:{self._identity}:{key}"

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationError as error:
            raise ConfigError(
                f"The Redis server {self._address} of runtime.locks wants another password: {error}. Put it into the "
                "environment as REDISCLI_AUTH, and the user's name, if there is one, into the address."
            ) from error
        except RedisError as error:
            raise LocksUnavailable(
                f"The Redis server {self._address} of runtime.locks does not answer: {error}. Start it, or correct the "
                'address; with runtime.locks = "" one machine does without.'
            ) from error

    def _keep(self, key: str, holding: Holding) -> None:
        with self._guard:
            self._held[key] = holding
            if not self._renewing:
                self._renewing = True
                threading.Thread(target=self._renew_while_held, daemon=True).start()

    def _renew_while_held(self) -> None:
        while True:
            time.sleep(self._expiry_seconds / RENEWALS_PER_EXPIRY)
            with self._guard:
                if not self._held:
                    self._renewing = False
                    return
                for key, holding in self._held.items():
                    _renew(key, holding)


def _renew(key: str, holding: Holding) -> None:
    if holding.lost:
        return
    try:
        holding.lock.reacquire()
    except LockNotOwnedError:
        holding.lost = True
        log.warning("The lock of %s is lost: what is being made under it will not be recorded.", key)
    except RedisError as error:
        log.warning("The lock of %s could not be renewed: %s", key, error)


def identity(folder: Path) -> str:
    """The name that all machines working on a workspace find in its `folder` of locks, made by the first to ask."""
    path = folder / IDENTITY
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        proposal = folder / f"{IDENTITY}.{uuid.uuid4().hex}"
        proposal.write_text(uuid.uuid4().hex, encoding="ascii")
        try:
            os.link(proposal, path)  # atomic, over a network too: the first one stays
        except FileExistsError:
            pass
        finally:
            proposal.unlink()
    return path.read_text(encoding="ascii")
