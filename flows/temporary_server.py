"""A Prefect server that lives no longer than the process that started it.

Prefect's own temporary server is a child that only a parent in good health ends: kill -9 leaves it behind. This one
reads a pipe that its parent holds open, and ends with it: the kernel closes the pipe, however the parent ends.

The parent imports no Prefect here, so that the server can start while the parent is still importing it.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from seq2seq.storage.flock import locked

CHECKOUT = Path(__file__).parents[1]
SECONDS_TO_STOP = 5.0
LINES_SHOWN = 4


class TemporaryServer:
    """Starts a server at `url`, a free port of the loopback interface.

    It listens from the start: a request made before the server is ready waits until it is. Signals of the terminal do
    not reach it, since it has to outlive Ctrl-C to be told how the run ended.
    """

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.temporary_server", str(listening.fileno())],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[listening.fileno()],
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])},
            )

    def stop(self) -> None:
        """End the server; it has some seconds to finish what it is doing."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(2 * SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def diagnosis(self) -> str:
        """Why it does not answer, as far as that can be seen from here: how it ended, and the end of its log."""
        try:
            how = f"it ended with code {self._process.wait(SECONDS_TO_STOP)}"
        except subprocess.TimeoutExpired:
            how = "it is still busy"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        return "\n  ".join([how, *[line for line in lines if line][-LINES_SHOWN:]])


def serve(listening: socket.socket) -> None:
    """Serve Prefect's API, without its user interface, until standard input ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    class OneAtATime(uvicorn.Server):
        """Starts while no other one does: two that migrate one database at once break it."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with locked(get_current_settings().home / "temporary-server.lock"):
                await super().startup(sockets)

    app = create_app(ephemeral=True, final=True)
    OneAtATime(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)).run(sockets=[listening])


def _end_with_parent() -> None:
    """Ask for an orderly end (before uvicorn handles the signal, it is an end at once), then insist."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_STOP)
    os._exit(1)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
