"""A Prefect server of a test's own, with the commands that work with it, each a process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 240.0
LEASES = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem"}
"""What docs/server.md starts every server with."""
QUICKLY = {
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
}
Answer = Any


class Site:
    """A Prefect server on a free port, with a home of its own, and the commands that work with it."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}/api"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        own = {"PREFECT_HOME": str(folder / "home"), "PREFECT_API_URL": self.address, "DO_NOT_TRACK": "1"}
        self.environment = kept | own | LEASES | QUICKLY | {"OMP_NUM_THREADS": "1"}
        self.started: list[subprocess.Popen[bytes]] = []
        self.serve()

    def serve(self) -> None:
        """Start the server, or start it again, and wait until it answers."""
        if self.started:
            self.started[0].terminate()
            self.started[0].wait(PATIENCE)
        port = self.address.removesuffix("/api").rpartition(":")[2]
        self.start("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port)
        self.started.insert(0, self.started.pop())
        self.wait(self.answers, "the server answers")

    def start(self, name: str, *arguments: str) -> None:
        """Start `python -m …` in the checkout; what it says goes to NAME.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.started.append(
                subprocess.Popen(
                    [sys.executable, "-m", *arguments],
                    cwd=CHECKOUT,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run `python -m flows …`, which has to end with `code`, and give what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == code, f"{done.stdout}{done.stderr}{self.logs()}"
        return done.stderr if code else done.stdout

    def ask(self, method: str, path: str, content: Answer = None) -> Answer:
        """One request to the server's API, again while the database is busy."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = httpx.request(method, f"{self.address}/{path}", json=content, timeout=PATIENCE)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def answers(self) -> bool:
        try:
            return bool(self.ask("GET", "health"))
        except httpx.HTTPError:
            return False

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        """The runs of a deployment (FLOW/NAME), oldest first."""
        flow, name = deployment.split("/")
        wanted = {"flows": {"name": {"any_": [flow]}}, "deployments": {"name": {"any_": [name]}}}
        return sorted(self.ask("POST", "flow_runs/filter", wanted), key=lambda run: run["created"])

    def request_run(self, deployment: str, **parameters: Any) -> dict[str, Any]:
        """Ask for a run of a deployment, as the button in the UI does."""
        number = self.ask("GET", f"deployments/name/{deployment}")["id"]
        wanted = {"state": {"type": "SCHEDULED"}, "parameters": parameters}
        run: dict[str, Any] = self.ask("POST", f"deployments/{number}/create_flow_run", wanted)
        return run

    def finished(self, deployment: str, **properties: Any) -> dict[str, Any]:
        """Wait for a run of a deployment with these properties to end, and give it; it has to be Completed."""

        def ended() -> list[dict[str, Any]]:
            return [
                run
                for run in self.runs(deployment)
                if properties.items() <= run.items() and run["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}
            ]

        self.wait(ended, f"a run of {deployment} ends")
        run = ended()[0]
        assert run["state_type"] == "COMPLETED", f"{run['state']}{self.logs()}"
        return run

    def wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:g} s{self.logs()}"
            time.sleep(0.2)

    def logs(self) -> str:
        return "".join(f"\n--- {path.name}\n{path.read_text()[-8000:]}" for path in self.folder.glob("*.log"))

    def stop(self) -> None:
        """End worker and server, in this order, and see that no process of theirs is left."""
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        left = dict(self.processes())
        for number in left:
            os.kill(number, signal.SIGKILL)
        assert not left, f"left behind: {left}{self.logs()}"

    def doing(self, run: Mapping[str, Any]) -> list[str]:
        """Command lines of the processes that do a run."""
        return [command for _, command in self.processes(f"PREFECT__FLOW_RUN_ID={run['id']}")]

    def processes(self, *more: str) -> Iterator[tuple[int, str]]:
        """Process ids and command lines of what works with this server (and has `more` set); Linux only."""
        marks = {f"PREFECT_API_URL={self.address}", *more}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if marks <= set((folder / "environ").read_text(errors="replace").split("\0")):
                    yield int(folder.name), (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # ended meanwhile, or another user's
                continue
