"""A Redis server, for the tests of what is locked there."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


StartRedis = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[StartRedis]:
    """Starts redis-server on a port of 127.0.0.1, with further options."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed here")
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int, *options: str) -> "subprocess.Popen[bytes]":
        place = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path))
        process = subprocess.Popen([program, *place, "--save", "", *options], stdout=subprocess.DEVNULL)
        started.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return process
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise TimeoutError(f"redis-server does not listen on port {port}")

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def redis_address(start_redis: StartRedis) -> str:
    """Address of a Redis server of the test's own."""
    port = free_port()
    start_redis(port)
    return f"redis://127.0.0.1:{port}"
