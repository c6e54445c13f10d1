"""Which locks a run uses."""

from collections.abc import Callable

from seq2seq.errors import ConfigError
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.storage.artifacts import Workspace
from tasks.locks import IDENTITY, FileLocks, Locks


def locks_for(
    workspace: Workspace,
    runtime: RuntimeSettings,
    on_wait: Callable[[str], None] = lambda key: None,
    on_poll: Callable[[], None] = lambda: None,
) -> Locks:
    """The locks of a workspace: the kernel's, or those of the Redis server that `runtime.locks` names.

    All runs on a workspace have to use the same ones: ConfigError where others use a Redis server's and no address is
    given, and when the package redis is missing.
    """
    if not runtime.locks:
        if (named := workspace.locks / IDENTITY).exists():
            raise ConfigError(
                f"{named} says that runs on this workspace lock by a Redis server, and no address is given. Set "
                "runtime.locks to that server's (`workspace prune` and `models` take --locks). Where no run uses it "
                "any more, remove that file: then the locks are the kernel's again."
            )
        return FileLocks(workspace.locks, on_wait, on_poll)
    try:
        from tasks.redis_locks import RedisLocks, identity  # takes 0.2 s: only who asked for it
    except ModuleNotFoundError as missing:
        if missing.name != "redis":
            raise
        raise ConfigError(
            f"runtime.locks = {runtime.locks} needs the package redis, which is not installed here: "
            'python -m pip install -e ".[redis]". With runtime.locks = "" one machine does without.'
        ) from missing
    return RedisLocks(runtime.locks, identity(workspace.locks), on_wait, on_poll)
