"""`python -m flows worker`: Prefect's worker, ended in good order.

Prefect's own kills its runs when it is stopped, and leaves them Running. Here the runs are asked first: a training then
saves its checkpoint, and its run ends.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated

from cyclopts import Parameter

from flows.commands.deploy import POOL
from flows.connection import address_of, lasting_server
from seq2seq.errors import Seq2SeqError

PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""
SECONDS_TO_SAVE = 30.0
"""How long a run may take to end: as long as Prefect's worker waits for one that is cancelled in the UI."""


def worker(
    *,
    pool: Annotated[str, Parameter(name="--pool", help="Work pool to take runs from.")] = POOL,
) -> None:
    """Do the runs that deployments ask for, one process each, until Ctrl-C or SIGTERM."""
    with lasting_server() as client:
        address = address_of(client)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    _serve(command, {**os.environ, "PREFECT_API_URL": address})


def _serve(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run the worker until it ends or we are asked to stop; a second request stops it at once.

    Raises Seq2SeqError when it fails.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        process_group=0,  # Ctrl-C is ours to hand on
        preexec_fn=_prepare,
    )
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if process.wait():
            raise Seq2SeqError(f"Prefect's worker ended by itself, with code {process.returncode}; why, it says above.")
    except KeyboardInterrupt:
        _end_runs(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        signal.signal(signal.SIGTERM, before)


def _prepare() -> None:
    """In the worker's process: hear SIGINT, which a script's background commands ignore, and die with the parent.

    When ours is killed, the kernel kills Prefect's worker, and its runs save what they have and end. Linux only:
    elsewhere it outlives a `kill -9` of ours.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_runs(worker: int) -> None:
    """Ask the worker's runs to end, and wait until they did. Linux only: elsewhere none is found.

    The worker goes on meanwhile, since it says what became of them: a run that it takes up then is asked, too.
    """
    asked: set[int] = set()
    deadline = time.monotonic() + SECONDS_TO_SAVE
    while (runs := set(_children(worker))) and time.monotonic() < deadline:
        for run in runs - asked:
            with suppress(ProcessLookupError):
                os.kill(run, signal.SIGTERM)
        if not asked:
            print(f"waiting for {len(runs)} run(s) to save what they have; Ctrl-C again stops at once", file=sys.stderr)
        asked |= runs
        time.sleep(0.1)


def _children(process: int) -> list[int]:
    """Ids of the processes that the threads of a process started."""
    children: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended since
            children += map(int, path.read_text(encoding="ascii").split())
    return children
