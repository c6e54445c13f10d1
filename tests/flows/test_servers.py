"""Prefect's server as people run it, and everything that can be wrong with it."""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import prefect
import pytest
from packaging.requirements import Requirement

from flows import console
from flows.__main__ import main
from flows.connection import OLDEST_SERVER, ServerError, ServerLost, check_version, connection
from tests.flows.prefect_site import LEASES

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 180.0
AUTH = "team:a long secret"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """Address of something on loopback that gives this answer to every GET."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


def test_every_server_that_is_written_about_keeps_its_leases_over_a_restart() -> None:
    written = [CHECKOUT / "Makefile", CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md")]
    blocks = [block for path in written for block in path.read_text(encoding="utf-8").split("\n\n")]
    starting = [block for block in blocks if re.search("^[^`]*prefect server start", block, re.MULTILINE)]

    assert len(starting) == 3
    for name, value in LEASES.items():
        assert all(f"{name}={value}" in block for block in starting)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, '"2.20.0"', ["version 2.20.0", f"Prefect here {prefect.__version__}", "of major version 3"]),
        (200, '"3.0.1"', ["version 3.0.1", f"{OLDEST_SERVER} or later"]),
        (200, '"4.0.0"', ["version 4.0.0", "of major version 3"]),
        (200, '"latest"', ["version is 'latest'"]),
        (200, "<html>", ["not as the API of a Prefect server", "/api"]),
        (200, '{"version": "3"}', ["not as the API of a Prefect server"]),
        (404, "", ["not as the API of a Prefect server"]),
        (401, '{"exception_message": "Unauthorized"}', ["refuses us (401)", "PREFECT_API_AUTH_STRING"]),
        (500, "out of order", ["answers 500", "out of order"]),
    ],
)
def test_a_server_that_cannot_be_used_is_one_clear_error_and_nothing_is_begun(
    status: int,
    body: str,
    told: list[str],
    tiny_project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with answering(status, body) as url, temporary_settings({PREFECT_API_URL: url}):
        code = main(["train", str(tiny_project / "tiny.toml"), "--workspace", str(tmp_path / "workspace")])

    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("error: ")
    assert [part for part in told if part not in captured.err] == []
    assert "Traceback" not in captured.err
    assert not (tmp_path / "workspace").exists()


def test_a_server_a_little_older_than_ours_is_used_and_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prefect, "__version__", "3.99.0")

    check_version(OLDEST_SERVER)

    assert f"version {OLDEST_SERVER}, older than Prefect here, 3.99.0" in capsys.readouterr().err
    with pytest.raises(ServerError):
        check_version("3.8.7")


@contextmanager
def nothing_there() -> Iterator[str]:
    """Address of nobody."""
    yield f"http://127.0.0.1:{free_port()}/api"


@pytest.mark.parametrize("gone", [nothing_there, *(partial(answering, status, "") for status in (502, 503, 504))])
def test_a_server_that_goes_during_a_run_is_one_clear_error(gone: Callable[[], AbstractContextManager[str]]) -> None:
    """A proxy in front of it answers in its place."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with answering(200, json.dumps(prefect.__version__)) as url, gone() as later:
        there = {PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0}
        with (
            pytest.raises(ServerLost, match="stopped answering"),
            temporary_settings(there),
            connection(),
            temporary_settings({PREFECT_API_URL: later}),
        ):
            get_client(sync_client=True).api_version()


def test_the_oldest_server_is_the_oldest_prefect_that_the_project_admits() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = map(Requirement, project["optional-dependencies"]["flows"])
    (admitted,) = (requirement for requirement in requirements if requirement.name == "prefect")

    assert f">={OLDEST_SERVER}" in str(admitted.specifier)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs `python -m flows …` in the checkout; Prefect has an empty home, and these variables only."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            cwd=CHECKOUT,
            env=without_prefect() | {"PREFECT_HOME": str(tmp_path / "home")} | variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


def without_prefect() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | console.ENVIRONMENT | {"OMP_NUM_THREADS": "1"}


def write_profile(home: Path, name: str, **settings: str) -> Path:
    home.mkdir(exist_ok=True)
    lines = (f"{setting} = {json.dumps(value)}\n" for setting, value in settings.items())
    path = home / "profiles.toml"
    path.write_text(f'active = "ephemeral"\n[profiles.{name}]\n{"".join(lines)}', encoding="utf-8")
    return path


def test_an_unreachable_server_is_named_with_the_place_that_names_it(
    command: Command, tiny_project: Path, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    profiles = write_profile(tmp_path / "home", "team", PREFECT_API_URL=url)
    arguments = ("train", str(tiny_project / "tiny.toml"), "--workspace", str(tmp_path / "workspace"))

    by_variable = command(*arguments, PREFECT_API_URL=url)
    by_profile = command(*arguments, PREFECT_PROFILE="team")

    for done, origin in (
        (by_variable, "the environment variable PREFECT_API_URL"),
        (by_profile, f"the profile team in {profiles}"),
    ):
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: No Prefect server answers at {url} (set by {origin})")
        assert len(done.stderr.splitlines()) == 1
        assert "make ui" in done.stderr
    assert not (tmp_path / "workspace").exists()


def test_the_server_of_a_profile_is_used(
    command: Command, prefect_server: str, first: tuple[Path, dict[str, Any]], tiny_project: Path, tmp_path: Path
) -> None:
    write_profile(tmp_path / "home", "team", PREFECT_API_URL=prefect_server)
    workspace = shutil.copytree(first[0], tmp_path / "workspace")
    before = flow_runs(prefect_server)

    done = command("train", str(tiny_project / "tiny.toml"), "--workspace", str(workspace), PREFECT_PROFILE="team")

    assert done.returncode == 0, done.stderr
    assert "temporary" not in done.stderr
    assert flow_runs(prefect_server) == before + 1


def flow_runs(server: str) -> int:
    request = urllib.request.Request(f"{server}/flow_runs/count", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return int(answer.read())


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Address of an empty database in a PostgreSQL server of our own, which an ordinary user runs, as it insists on."""
    programs = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if programs is None:
        pytest.skip("PostgreSQL's initdb is not installed (Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a folder of pytest's would be closed to that user
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = next((user for user in pwd.getpwall() if user.pw_name in ("postgres", "nobody")), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    port, bin_folder = free_port(), Path(programs).resolve().parent

    def program(name: str, *arguments: str, **options: Any) -> None:
        command = [str(bin_folder / name), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE, cwd=folder, **owner, **options)

    (folder / "password").write_text("secret", encoding="utf-8")
    data = str(folder / "data")
    program("initdb", "-D", data, "-U", "prefect", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}")
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
    program("pg_ctl", "start", "-D", data, "-w", "-t", str(PATIENCE), "-o", options, "-l", str(folder / "log"))
    try:
        place = ("-h", "127.0.0.1", "-p", str(port), "-U", "prefect")
        program("createdb", *place, "prefect", env={"PGPASSWORD": "secret"})
        yield f"postgresql+asyncpg://prefect:secret@127.0.0.1:{port}/prefect"
    finally:
        program("pg_ctl", "stop", "-D", data, "-m", "immediate")
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def guarded_server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server as docs/server.md sets one up: PostgreSQL, an auth string, CSRF protection, no analytics."""
    port, home = free_port(), tmp_path_factory.mktemp("server")
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": postgres,
        "PREFECT_SERVER_API_AUTH_STRING": AUTH,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
    }
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
            env=without_prefect() | settings,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}/api"
    try:
        await_health(url, process, home / "log")
        assert not (home / "prefect.db").exists()  # that is where it would be without PostgreSQL
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def await_health(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"{url}/health").close()
            return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)


def test_a_server_with_postgres_and_an_auth_string_serves_who_has_the_string_and_nobody_else(
    guarded_server: str, command: Command, tiny_project: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    arguments = ("train", str(tiny_project / "tiny.toml"), "--workspace", str(workspace))

    for variables in ({}, {"PREFECT_API_AUTH_STRING": "team:a wrong guess"}):
        refused = command(*arguments, PREFECT_API_URL=guarded_server, **variables)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert re.match(r"error: .* refuses us \(401\): PREFECT_API_AUTH_STRING has to be .*\n\Z", refused.stderr)
        assert not workspace.exists()

    served = command(*arguments, PREFECT_API_URL=guarded_server, PREFECT_API_AUTH_STRING=AUTH)

    assert served.returncode == 0, served.stderr
    assert served.stdout.splitlines()[-1].startswith("report: ")
    assert "Error" not in served.stderr
