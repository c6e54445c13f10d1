"""Further processes: modules of ours at the other end of a connection.

Not `multiprocessing.Process`: a spawned one imports the user's main module anew, which then needs a guard, and a forked
one inherits the locks of threads that it does not have.
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

SOURCE_ROOT = Path(__file__).parents[1]
TOLD_CHARACTERS = 2000
"""Of what a process that failed has said, so much is quoted."""
PATIENCE_SECONDS = 10
"""Time that a process gets to end by itself."""


class Child:
    """`python -m MODULE DESCRIPTOR ...`: the first descriptor is the module's end of `connection`.

    It is in a session of its own, so that Ctrl-C reaches the process that started it only, and has to end when its
    connection does, which the kernel sees to should that process be killed. What it says is kept until it has ended.
    """

    def __init__(self, module: str, inherited: Sequence[int] = ()) -> None:
        ours, theirs = socket.socketpair()
        self.connection = Connection(ours.detach())
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process may write to it
        with theirs:
            descriptors = (theirs.fileno(), *inherited)
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, descriptors)],
                cwd=SOURCE_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=descriptors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def wait(self, seconds: float) -> str:
        """See the process end; one that takes longer is killed. Says how it failed if it did so by itself."""
        with self._output:
            try:
                code = self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                return ""
            if not code:
                return ""
            self._output.seek(0)
            said = self._output.read().decode(errors="replace").strip()[-TOLD_CHARACTERS:]
        signal = f"signal {-code}" + (", the system's when memory runs out" if code == -9 else "")
        return f"ended by {signal if code < 0 else f'an error, code {code}'}. It said: {said or 'nothing'}"


def end(children: Sequence[Child], seconds: float = PATIENCE_SECONDS) -> dict[int, str]:
    """End all of them within so many seconds; says how those failed that did, by their place in the sequence."""
    for child in children:
        child.connection.close()
    last = time.monotonic() + seconds
    failures = {place: child.wait(max(0.0, last - time.monotonic())) for place, child in enumerate(children)}
    return {place: failure for place, failure in failures.items() if failure}
