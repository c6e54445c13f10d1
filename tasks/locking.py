"""Which locks a run uses."""

from collections.abc import Callable

from seq2seq.artifacts import Workspace
from seq2seq.errors import ConfigError
from seq2seq.settings.runtime import RuntimeSettings
from tasks.locks import FileLocks, Locks


def locks_for(
    workspace: Workspace,
    runtime: RuntimeSettings,
    on_wait: Callable[[str], None] = lambda key: None,
    on_poll: Callable[[], None] = lambda: None,
) -> Locks:
    """The locks of a workspace: the kernel's, or those of the Redis server that `runtime.locks` names.

    All runs on a workspace have to use the same ones. ConfigError when the package redis is missing.
    """
    if not runtime.locks:
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
