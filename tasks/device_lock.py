"""At most one training on each device of a machine, whoever started it and in whichever workspace.

A lock of the kernel on one file for each device, in the machine's folder for temporary files (TMPDIR, else /tmp):
killed holders hold nothing, and no server is needed. A step's lock is taken before its devices', and whoever needs
several takes them in the order of their names: there is no deadlock.
"""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB
from pathlib import Path

from seq2seq.errors import TrainingInterrupted, UserError
from seq2seq.flock import taken
from seq2seq.settings.runtime import RuntimeSettings
from tasks.locks import wait_until
from tasks.reporting import say
from tasks.step import PipelineRun

TOLD_BYTES = 300


def device_names(runtime: RuntimeSettings) -> list[str]:
    """`cpu`, or the CUDA device of each process by its UUID: containers and CUDA_VISIBLE_DEVICES number devices anew.

    In order. It sets nothing up: oneDNN reads the size of its cache once in a process, and the training chooses it.
    """
    import torch  # takes seconds: only where a training begins

    from seq2seq.device import device_of, process_count

    devices = {device_of(runtime, rank) for rank in range(process_count(runtime))}
    return sorted(
        "cpu" if device.type == "cpu" else f"cuda-{torch.cuda.get_device_properties(device).uuid}" for device in devices
    )


@contextmanager
def only_training(run: PipelineRun, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Let no other training have this run's devices inside a `with` block; see `device_lock`."""
    holder = f"process {os.getpid()}, run {run.config.name} in {run.workspace.root.resolve()}"
    with ExitStack() as held:
        for device in device_names(run.config.runtime):
            held.enter_context(device_lock(device, holder, say, should_stop))
        yield


@contextmanager
def device_lock(
    device: str, holder: str, tell: Callable[[str], None], should_stop: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Hold the device inside a `with` block; `holder` tells others who does.

    While another holds it, that is said once, and TrainingInterrupted is raised when `should_stop` says so. Raises
    UserError when the lock's file is not a plain one.
    """
    path = Path(tempfile.gettempdir()) / f"seq2seq-flows-{device}.lock"
    descriptor = _take(path, lambda by: tell(_waiting(device, by)), should_stop)
    try:
        _tell(descriptor, holder)
        yield
        _tell(descriptor, "")
    finally:
        os.close(descriptor)


def _waiting(device: str, holder: str) -> str:
    return f"train: {device} is training already{f' ({holder})' if holder else ''}; waiting until it is free"


def _take(path: Path, on_wait: Callable[[str], None], should_stop: Callable[[], bool]) -> int:
    """Descriptor of the locked file. One that was removed meanwhile, as old temporary files are, does not count."""
    while True:
        descriptor = _open(path)
        try:
            _wait(descriptor, on_wait, should_stop)
            if _names(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait(descriptor: int, on_wait: Callable[[str], None], should_stop: Callable[[], bool]) -> None:
    def attempt() -> bool:
        if should_stop():
            raise TrainingInterrupted(
                "Stopped while another training held the device. What is done stays done: the same command goes on."
            )
        return taken(descriptor, LOCK_EX | LOCK_NB)

    wait_until(attempt, None, lambda: on_wait(_told(descriptor)))


def _open(path: Path) -> int:
    """Open the file that every user of the machine locks, and make it where it is missing.

    The folder is anybody's: a link is not followed, and what is no plain file is refused. Linux lets nobody open
    another user's file there with O_CREAT (fs.protected_regular), so that is asked for only where there is none.
    """
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o666)
        os.fchmod(descriptor, 0o666)  # the umask took something away
        return descriptor
    try:
        try:
            descriptor = os.open(path, os.O_RDWR | flags)
        except PermissionError:
            descriptor = os.open(path, os.O_RDONLY | flags)  # a lock needs no more
    except OSError as error:
        raise UserError(_refused(path, str(error))) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise UserError(_refused(path, "it is not a plain file with one name"))
    return descriptor


def _refused(path: Path, why: str) -> str:
    return (
        f"{path} cannot serve as the lock that keeps two trainings off one device: {why}. Remove it, or name another "
        "folder in TMPDIR, the same one for all who train on this machine."
    )


def _names(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    return False


def _tell(descriptor: int, holder: str) -> None:
    with suppress(OSError):  # a file that is not ours to write: who waits is told less
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode()[:TOLD_BYTES], 0)


def _told(descriptor: int) -> str:
    """What the holder wrote, as far as it can be shown: anybody may have written it."""
    text = os.pread(descriptor, TOLD_BYTES, 0).decode(errors="replace")
    return "".join(letter for letter in text if letter.isprintable())
