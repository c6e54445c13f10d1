"""The server that a command starts where none is configured: it lives as long as its command, however that ends."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flows import console
from flows.connection import may_be_configured

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 180.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `python …` in the checkout, with a home of its own for Prefect and without a configured server."""
    started: list[subprocess.Popen[str]] = []
    left_out = ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "PREFECT_API_DATABASE_CONNECTION_URL")

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if name not in left_out} | console.ENVIRONMENT
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env=environment | {"PREFECT_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def children(process: int) -> list[int]:
    """Ids of the processes that `process` started; Linux only."""
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in path.read_text(encoding="ascii").split()]


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # an orphan that has ended, and that nobody has asked for yet


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:g} s"
        time.sleep(0.05)


def read_until(process: "subprocess.Popen[str]", beginning: str) -> None:
    """Read standard error as far as the line that begins so."""
    assert process.stderr is not None
    read = []
    for line in process.stderr:
        if line.startswith(beginning):
            return
        read.append(line)
    pytest.fail(f"no line {beginning!r} in: {''.join(read)}")


def long_training(tiny_project: Path, workspace: Path) -> tuple[str, ...]:
    settings = (
        "training.max_steps=0",
        "training.max_epochs=30",
        "training.patience=1000",
        "runtime.checkpoint_every_seconds=0.1",
        "runtime.log_every_seconds=0.1",
    )
    options = (word for setting in settings for word in ("--set", setting))
    return ("-m", "flows", "train", str(tiny_project / "tiny.toml"), "--workspace", str(workspace), *options)


def test_a_killed_command_leaves_no_process_and_the_same_command_finishes(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    command = long_training(tiny_project, tmp_path / "workspace")
    process = start(*command)
    read_until(process, "train      step")
    servers = children(process.pid)
    assert len(servers) == 1

    process.kill()
    wait_until(lambda: not any(map(is_running, servers)), "the server ends")

    again = start(*command)
    output, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    assert output.splitlines()[-1].startswith("report: ")
    assert re.findall(r"^(\w+) +done", errors, re.MULTILINE) == ["train", "evaluate"]


def test_ctrl_c_at_the_terminal_stops_the_training_and_the_server_is_still_told(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    process = start(*long_training(tiny_project, tmp_path / "workspace"))
    read_until(process, "train      step")
    servers = children(process.pid)
    assert len(servers) == 1

    os.killpg(process.pid, signal.SIGINT)

    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("Training stopped at step")
    assert not any(map(is_running, servers))
    with closing(sqlite3.connect(tmp_path / "home" / "prefect.db")) as database:
        (state,) = database.execute("SELECT state_type FROM flow_run").fetchone()
    assert state not in ("RUNNING", "PENDING")


def test_a_command_killed_while_its_server_starts_leaves_no_process(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    process = start(*long_training(tiny_project, tmp_path / "workspace"))
    wait_until(lambda: bool(children(process.pid)), "a server is started")
    servers = children(process.pid)

    process.kill()

    wait_until(lambda: not any(map(is_running, servers)), "the server ends")


def test_a_server_that_cannot_start_is_one_clear_error_with_its_last_words(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    (tmp_path / "home" / "prefect.db").mkdir(parents=True)  # where the database should be

    process = start(*long_training(tiny_project, tmp_path / "workspace"))
    output, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, output) == (2, "")
    assert "The temporary Prefect server did not start" in errors
    assert "unable to open database file" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "workspace").exists()


def test_a_server_that_inherits_an_auth_string_lets_its_command_in(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "team:secret")
    asks = (
        "from flows.connection import connection\n"
        "from prefect.client.orchestration import get_client\n"
        "with connection(): print(get_client(sync_client=True).count_flow_runs())"
    )

    process = start("-c", asks)
    output, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, output) == (0, "0\n"), errors


def test_two_servers_that_start_at_once_on_a_new_database_do_not_break_it(start: Start) -> None:
    both = [start("-c", "from flows.connection import connection\nwith connection(): pass") for _ in range(2)]

    ends = [process.communicate(timeout=PATIENCE) for process in both]

    assert [process.returncode for process in both] == [0, 0], ends


@pytest.mark.parametrize(
    ("variables", "files", "answer"),
    [
        ({}, {}, False),
        ({}, {"pyproject.toml": "[project]"}, False),
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, {}, True),
        ({"prefect_api_url": "http://127.0.0.1:4200/api"}, {}, True),
        ({"PREFECT_PROFILE": "team"}, {}, True),
        ({}, {"home/profiles.toml": ""}, True),
        ({}, {"prefect.toml": ""}, True),
        ({}, {".env": ""}, True),
        ({}, {"pyproject.toml": "[tool.prefect.logging]"}, True),
    ],
)
def test_a_server_is_started_before_prefect_is_imported_only_where_nothing_can_name_another(
    variables: dict[str, str], files: dict[str, str], answer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (variables | {"PREFECT_HOME": str(tmp_path / "home")}).items():
        monkeypatch.setenv(name, value)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "prefect", raising=False)

    assert may_be_configured() is answer
