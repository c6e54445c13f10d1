"""From nothing to a scheduled run: a server, all of prefect.yaml, and a worker, each a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from seq2seq.config import Config

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 240.0
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
        self.environment = kept | own | QUICKLY | {"OMP_NUM_THREADS": "1"}
        self.started: list[subprocess.Popen[bytes]] = []
        self.start("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
        self.wait(self.answers, "the server answers")

    def start(self, name: str, *arguments: str) -> None:
        """Start `python -m …` in the checkout; what it says goes to NAME.log."""
        with (self.folder / f"{name}.log").open("wb") as log:
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

    def run(self, *arguments: str) -> str:
        """Run `python -m flows …` and give what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self.logs()}"
        return done.stdout

    def ask(self, method: str, path: str, content: Answer = None) -> Answer:
        """One request to the server's API, again while the database is busy."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = httpx.request(method, f"{self.address}/{path}", json=content, timeout=60)
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

    def processes(self) -> Iterator[tuple[int, str]]:
        """Process ids and command lines of what works with this server; Linux only."""
        mark = f"PREFECT_API_URL={self.address}\0".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    yield int(folder.name), (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # ended meanwhile, or another user's
                continue


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_config: Callable[..., Config]) -> Iterator[Site]:
    """A server with all of prefect.yaml deployed, to tiny parameters, and a worker."""
    site = Site(tmp_path_factory.mktemp("site"))
    try:
        site.run("deploy")
        site.start("worker", "flows", "worker")
        config = tiny_config().model_dump(mode="json")
        for deployment in site.ask("POST", "deployments/filter", {}):
            tiny = deployment["parameters"] | {"config": config, "workspace": str(site.folder / "workspace")}
            tiny |= {"model_dir": str(site.folder / "workspace/models/de-en/tiny")} if "model_dir" in tiny else {}
            site.ask("PATCH", f"deployments/{deployment['id']}", {"parameters": tiny})
        yield site
    finally:
        site.stop()


def test_a_schedule_and_an_event_each_start_a_run_that_completes(site: Site) -> None:
    retrain = site.ask("GET", "deployments/name/retrain-translator/demo")
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    schedule = {"schedule": {"interval": 10, "anchor_date": soon}, "active": True, "slug": "soon"}
    (created,) = site.ask("POST", f"deployments/{retrain['id']}/schedules", [schedule])

    site.wait(lambda: any(run["start_time"] for run in site.runs("retrain-translator/demo")), "a scheduled run starts")
    site.ask("DELETE", f"deployments/{retrain['id']}/schedules/{created['id']}")
    site.finished("retrain-translator/demo", auto_scheduled=True)

    assert site.run("corpus", "changed", "demo") == "told: demo: retrain when the corpus changed\n"
    run = site.finished("retrain-translator/demo", auto_scheduled=False)
    assert run["created_by"]["type"] == "AUTOMATION"


def test_relative_paths_count_from_the_checkout_that_deployed(site: Site) -> None:
    for deployment in site.ask("POST", "deployments/filter", {}):
        (step,) = deployment["pull_steps"]
        assert step == {"prefect.deployments.steps.set_working_directory": {"directory": str(CHECKOUT)}}


def test_training_and_evaluation_run_on_demand(site: Site) -> None:
    for name in ("train-translator/on-demand", "evaluate-translator/on-demand"):
        run = site.request_run(name)
        site.finished(name, id=run["id"])


def test_cancelling_a_training_in_the_ui_leaves_a_checkpoint_and_no_process(
    site: Site, tiny_config: Callable[..., Config]
) -> None:
    endless = tiny_config(
        "training.max_steps=0",
        "training.max_epochs=0",
        "training.max_minutes=60",
        "training.patience=1000000",
        "runtime.checkpoint_every_seconds=3600",
        "runtime.log_every_seconds=0.1",
    )
    run = site.request_run("train-translator/on-demand", config=endless.model_dump(mode="json"))
    site.wait(lambda: "train      step" in site.logs(), "the training is under way")

    site.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})

    site.wait(lambda: site.ask("GET", f"flow_runs/{run['id']}")["state_type"] == "CANCELLED", "the run is Cancelled")
    assert list((site.folder / "workspace" / "checkpoints").glob("*/*"))
    site.wait(lambda: not any(run["id"] in command for _, command in site.processes()), "its process ends")


def test_one_line_switches_the_nightly_retraining_on(site: Site) -> None:
    text = (CHECKOUT / "prefect.yaml").read_text(encoding="utf-8")
    assert text.count("active: false") == 1
    switched = site.folder / "switched.yaml"
    switched.write_text(text.replace("active: false", "active: true"), encoding="utf-8")

    said = site.run("deploy", "--file", str(switched))

    assert "nightly 0 3 * * * UTC: active, nightly 0 3 * * * UTC was inactive" in said
    site.wait(lambda: site.runs("retrain-translator/demo")[-1]["state_name"] == "Scheduled", "a run is scheduled")
    assert site.runs("retrain-translator/demo")[-1]["expected_start_time"][11:19] == "03:00:00"
