"""Runs whose process died, on a server of their own: the session's runs without the services for automations."""

import importlib
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings

import flows
from flows.__main__ import main
from flows.automations import DEAD_RUNS, FLOWS, dead_runs_crash
from flows.commands.automations import put_in_force
from tests.flows.prefect_site import CHECKOUT, Site

FAST_HEART = """
import sys
import tasks.heartbeat
from flows.__main__ import main
tasks.heartbeat.SECONDS = 1.0
sys.exit(main(sys.argv[1:]))
"""
SILENT_SECONDS = 10


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of its own."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.stop()


def test_it_watches_all_flows_and_no_others() -> None:
    modules = [importlib.import_module(f"flows.{found.name}") for found in pkgutil.iter_modules(flows.__path__)]
    names = {value.name for module in modules for value in vars(module).values() if isinstance(value, Flow)}

    assert names == set(FLOWS)


def test_a_server_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert main(["automations", "install"]) == 2

    assert "No Prefect server answers at http://127.0.0.1:9/api" in capsys.readouterr().err


def test_install_twice_changes_it_and_remove_removes_it(site: Site) -> None:
    def install(seconds: int) -> str:
        return site.run("automations", "install", "--seconds", str(seconds)).partition(" on ")[0]

    assert [install(90), install(120)] == ["installed", "changed"]
    (installed,) = site.run("automations", "list").splitlines()
    assert (
        installed
        == f"on  {DEAD_RUNS}. Heartbeats come every 30 seconds; after 120 seconds without one a run has crashed."
    )

    site.run("automations", "remove")
    assert site.run("automations", "list") == ""


def test_a_run_killed_with_kill_9_becomes_crashed_and_one_that_ended_or_lives_does_not(
    site: Site, tiny_project: Path, tmp_path: Path
) -> None:
    with SyncPrefectClient(site.address) as client:
        put_in_force(client, dead_runs_crash(SILENT_SECONDS))
    config = str(tiny_project / "tiny.toml")
    site.run("train", config, "--workspace", str(tmp_path / "short"), "--set", "name=short")
    settings = ("name=long", "training.max_steps=0", "training.max_epochs=1000000", "training.patience=1000000")
    options = [part for setting in settings for part in ("--set", setting)]
    with subprocess.Popen(
        [sys.executable, "-c", FAST_HEART, "train", config, "--workspace", str(tmp_path / "long"), *options],
        cwd=CHECKOUT,
        env=site.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:

        def alive_longer_than_it_may_be_silent() -> bool:
            return run_named(site, "long").get("estimated_run_time", 0) > 1.5 * SILENT_SECONDS

        site.wait(alive_longer_than_it_may_be_silent, "a training runs")
        assert run_named(site, "long")["state_type"] == "RUNNING"
        os.kill(process.pid, signal.SIGKILL)

    site.wait(lambda: run_named(site, "long")["state_type"] != "RUNNING", "the dead run is marked")

    state = run_named(site, "long")["state"]
    assert state["type"] == "CRASHED"
    assert state["message"].startswith(f"No sign of life for {SILENT_SECONDS} seconds")
    assert run_named(site, "short")["state_type"] == "COMPLETED"


def test_a_run_that_waits_to_go_on_is_not_marked(site: Site) -> None:
    with SyncPrefectClient(site.address) as client:
        put_in_force(client, dead_runs_crash(2 * SILENT_SECONDS))
    flow = site.ask("POST", "flows/", {"name": FLOWS[0]})
    deployment = site.ask("POST", "deployments/", {"name": "waiting", "flow_id": flow["id"]})
    wanted = {"flow_id": flow["id"], "deployment_id": deployment["id"], "state": {"type": "RUNNING"}}
    states = ("AwaitingRetry", "AwaitingConcurrencySlot", "Resuming", "Scheduled")
    waiting = {state: site.ask("POST", "flow_runs/", wanted) for state in states}
    for run in waiting.values():
        site.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": {"type": "CRASHED"}})
        beat(site, flow, run)  # was on its way
    dead = site.ask("POST", "flow_runs/", wanted)
    beat(site, flow, dead)
    heard = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [resource(dead)]}}}
    site.wait(lambda: site.ask("POST", "events/filter", heard)["events"], "the server hears of them")
    for state, run in waiting.items():
        site.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": {"type": "SCHEDULED", "name": state}})

    site.wait(lambda: site.ask("GET", f"flow_runs/{dead['id']}")["state_type"] == "CRASHED", "the dead run is marked")

    for run in waiting.values():
        assert site.ask("GET", f"flow_runs/{run['id']}")["state_type"] == "SCHEDULED"


def resource(run: dict[str, Any]) -> str:
    """What events call a run."""
    return f"prefect.flow-run.{run['id']}"


def beat(site: Site, flow: dict[str, Any], run: dict[str, Any]) -> None:
    """Emit a run's sign of life."""
    related = {
        "prefect.resource.id": f"prefect.flow.{flow['id']}",
        "prefect.resource.role": "flow",
        "prefect.resource.name": flow["name"],
    }
    event = {
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": resource(run)},
        "related": [related],
        "occurred": datetime.now(UTC).isoformat(),
        "id": str(uuid4()),
    }
    site.ask("POST", "events", [event])


def test_a_run_marked_by_mistake_can_still_complete(site: Site) -> None:
    flow = site.ask("POST", "flows/", {"name": FLOWS[0]})
    run = site.ask("POST", "flow_runs/", {"flow_id": flow["id"], "state": {"type": "RUNNING"}})

    answers = [
        site.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": {"type": kind}})["status"]
        for kind in ("CRASHED", "COMPLETED", "CRASHED")
    ]

    assert answers == ["ACCEPT", "ACCEPT", "ABORT"]


def test_a_run_s_lease_outlives_a_restart_of_the_server(site: Site) -> None:
    site.ask("POST", "v2/concurrency_limits/", {"name": "deployment", "limit": 1})
    wanted = {"names": ["deployment"], "slots": 1, "mode": "concurrency", "lease_duration": 300}
    lease = site.ask("POST", "v2/concurrency_limits/increment-with-lease", wanted)["lease_id"]

    site.serve()

    site.ask("POST", f"v2/concurrency_limits/leases/{lease}/renew", {"lease_duration": 300})


def run_named(site: Site, model: str) -> dict[str, Any]:
    """The run that trains the model of that name, as far as the server knows it."""
    runs: list[dict[str, Any]] = site.ask("POST", "flow_runs/filter", {})
    return next((run for run in runs if run["name"] == f"train {model}"), {})
