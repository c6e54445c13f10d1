"""A Prefect server for a measurement, started as people start theirs: on loopback, with a home of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SECONDS_TO_START = 240.0
SECONDS_TO_STOP = 30.0
SILENT = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@contextmanager
def prefect_server(home: Path) -> Iterator[dict[str, str]]:
    """Run a server inside a `with` block; gives the environment in which commands use it.

    Its database and its log, `server.log`, lie in `home`, and so do the commands' temporary files: among them are the
    locks on devices, and a measurement waits for nobody else's training. Raises TimeoutError when the server does not
    answer in time.
    """
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"PREFECT_HOME": home, "TMPDIR": home / "tmp", "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    environment = os.environ | SILENT | {name: str(value) for name, value in own.items()}
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_it_answers(server, environment)
            yield environment
        finally:
            _stop(server)


def _wait_until_it_answers(server: subprocess.Popen[bytes], environment: Mapping[str, str]) -> None:
    health = f"{environment['PREFECT_API_URL']}/health"
    deadline = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise TimeoutError(f"{health} did not answer within {SECONDS_TO_START:g} s; see server.log in PREFECT_HOME.")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    try:
        server.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
