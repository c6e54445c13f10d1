"""At most one training on each CUDA device and each core of a machine, whoever started it and in whichever workspace.

A lock of the kernel on one file for each, in the machine's folder for temporary files (TMPDIR, else /tmp): killed
holders hold nothing, and no server is needed. A step's lock is taken before its devices', whoever needs several devices
takes them in the order of their names, and of trainings that may use the same cores one at a time takes them: there
is no deadlock.
"""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB
from pathlib import Path

from seq2seq.cores import usable_core_numbers
from seq2seq.errors import TrainingInterrupted, UserError
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.storage.flock import taken
from tasks.locks import wait_until
from tasks.reporting import say
from tasks.step import PipelineRun

CPU = "cpu"
TOLD_BYTES = 300


def device_names(runtime: RuntimeSettings) -> list[str]:
    """`cpu`, or the CUDA device of each process by its UUID: containers and CUDA_VISIBLE_DEVICES number devices anew.

    In order. It sets nothing up: oneDNN reads the size of its cache once in a process, and the training chooses it.
    """
    import torch  # takes seconds: only where a training begins

    from seq2seq.device import device_of, process_count

    devices = {device_of(runtime, rank) for rank in range(process_count(runtime))}
    return sorted(
        CPU if device.type == "cpu" else f"cuda-{torch.cuda.get_device_properties(device).uuid}" for device in devices
    )


def cores_needed(runtime: RuntimeSettings) -> int:
    """One for each thread of a training on the CPU; by default all that it may use."""
    there = len(usable_core_numbers())
    return min(max(runtime.threads, runtime.processes), there) if runtime.threads else there


@contextmanager
def only_training(run: PipelineRun, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Let no other training have this run's devices, or cores, inside a `with` block; see `device_lock`."""
    holder = f"process {os.getpid()}, run {run.config.name} in {run.workspace.root.resolve()}"
    runtime = run.config.runtime
    with ExitStack() as held:
        for device in device_names(runtime):
            if device == CPU:
                held.enter_context(cores_lock(cores_needed(runtime), holder, say, should_stop))
            else:
                held.enter_context(device_lock(device, holder, say, should_stop))
        yield


@contextmanager
def cores_lock(
    count: int, holder: str, tell: Callable[[str], None], should_stop: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Hold so many of the cores inside a `with` block, as `device_lock` does a device.

    They are taken one by one as they come free. Who waits for cores first takes the turn at each that it may use: one
    that wants all of them is not passed by others that want few, and passes none that may use others only. Which
    threads run where is left to the kernel.
    """
    cores = [f"{CPU}-{number}" for number in usable_core_numbers()]
    with ExitStack() as held:
        with ExitStack() as turns:
            for core in cores:  # in one order: two that wait for the same ones cannot wait for each other
                waits = f"{holder}, which waits for cores"
                turns.enter_context(_lock(CPU, [f"{core}-turn"], 1, waits, tell, should_stop))
            held.enter_context(_lock(CPU, cores, count, holder, tell, should_stop))
        yield


@contextmanager
def device_lock(
    device: str, holder: str, tell: Callable[[str], None], should_stop: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Hold the device inside a `with` block; `holder` tells others who does.

    While another holds it, that is said once, and TrainingInterrupted is raised when `should_stop` says so. Raises
    UserError when the lock's file is not a plain one.
    """
    with _lock(device, [device], 1, holder, tell, should_stop):
        yield


@contextmanager
def _lock(
    device: str,
    parts: Sequence[str],
    count: int,
    holder: str,
    tell: Callable[[str], None],
    should_stop: Callable[[], bool],
) -> Iterator[None]:
    paths = [Path(tempfile.gettempdir()) / f"seq2seq-flows-{part}.lock" for part in parts]
    until = "it is free" if count == len(parts) else f"{count} of its {len(parts)} cores are free"
    held: dict[Path, int] = {}

    def attempt() -> bool:
        if should_stop():
            raise TrainingInterrupted(
                "Stopped while another training held the device. What is done stays done: the same command goes on."
            )
        for path in paths:
            if len(held) < count and path not in held and (descriptor := _take(path)) is not None:
                held[path] = descriptor
        return len(held) == count

    def say_waiting() -> None:
        by = _told(next(path for path in paths if path not in held))
        tell(f"train: {device} is taken already{f' ({by})' if by else ''}; waiting until {until}")

    try:
        wait_until(attempt, None, say_waiting)
        for descriptor in held.values():
            _tell(descriptor, holder)
        yield
        for descriptor in held.values():
            _tell(descriptor, "")
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def _take(path: Path) -> int | None:
    """Descriptor of the locked file, or None; one that was removed meanwhile, as old files are, does not count."""
    descriptor = _open(path)
    if taken(descriptor, LOCK_EX | LOCK_NB) and _names(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


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


def _told(path: Path) -> str:
    """What the holder wrote, as far as it can be shown: anybody may have written it."""
    descriptor = _open(path)
    text = os.pread(descriptor, TOLD_BYTES, 0).decode(errors="replace")
    os.close(descriptor)
    return "".join(letter for letter in text if letter.isprintable())
