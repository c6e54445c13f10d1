"""From nothing to a scheduled run: a server, all of prefect.yaml, and a worker, each a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.commands.worker import _end_runs
from seq2seq.config import Config
from tests.flows.prefect_site import CHECKOUT, Site


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


def endless(tiny_config: Callable[..., Config], seed: int) -> dict[str, Any]:
    """A training that is over when it is stopped, and saves a checkpoint only then."""
    settings = (
        f"training.seed={seed}",
        "training.max_steps=0",
        "training.max_epochs=0",
        "training.max_minutes=60",
        "training.patience=1000000",
        "runtime.checkpoint_every_seconds=3600",
        "runtime.log_every_seconds=0.1",
    )
    return tiny_config(*settings).model_dump(mode="json")


def wait_for_training(site: Site, run: dict[str, Any]) -> None:
    """Wait for a training's first progress message."""
    site.wait(lambda: said(site, run, "train      step"), "the training is under way")


def said(site: Site, run: dict[str, Any], beginning: str) -> int:
    """How many messages of a run begin so."""
    wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
    return sum(log["message"].startswith(beginning) for log in site.ask("POST", "logs/filter", wanted))


def state_of(site: Site, run: dict[str, Any]) -> str:
    return str(site.ask("GET", f"flow_runs/{run['id']}")["state_type"])


def states_of(site: Site, run: dict[str, Any]) -> list[str]:
    """The types of all states that a run was in, oldest first."""
    return [str(state["type"]) for state in site.ask("GET", f"flow_run_states/?flow_run_id={run['id']}")]


def checkpoints(site: Site) -> int:
    return len(list((site.folder / "workspace" / "checkpoints").glob("*/checkpoint.pt")))


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


def test_a_change_that_no_deployment_waits_for_is_an_error(site: Site) -> None:
    assert "error: Nothing waits for a change of the corpus dmeo on" in site.run("corpus", "changed", "dmeo", code=2)


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
    run = site.request_run("train-translator/on-demand", config=endless(tiny_config, seed=2))
    wait_for_training(site, run)

    site.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})

    site.wait(lambda: state_of(site, run) == "CANCELLED", "the run is Cancelled")
    assert checkpoints(site) == 1
    site.wait(lambda: not site.doing(run), "its process ends")
    assert "CRASHED" not in states_of(site, run)


def test_a_training_suspended_in_the_ui_saves_its_checkpoint_and_one_process_goes_on_when_it_is_resumed(
    site: Site, tiny_config: Callable[..., Config]
) -> None:
    before = checkpoints(site)
    run = site.request_run("train-translator/on-demand", config=endless(tiny_config, seed=5))
    wait_for_training(site, run)
    suspended = {"type": "PAUSED", "name": "Suspended", "state_details": {"pause_reschedule": True}}

    site.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": suspended})

    site.wait(lambda: not site.doing(run), "its process ends")
    assert state_of(site, run) == "PAUSED"
    assert checkpoints(site) == before + 1

    site.ask("POST", f"flow_runs/{run['id']}/resume")
    site.wait(lambda: said(site, run, "train      on ") == 2, "the training goes on")
    assert state_of(site, run) == "RUNNING"
    site.ask("POST", f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
    site.wait(lambda: not site.doing(run), "its process ends")
    assert "CRASHED" not in states_of(site, run)


def test_a_worker_that_is_stopped_lets_its_runs_save_their_checkpoints(
    site: Site, tiny_config: Callable[..., Config]
) -> None:
    before = checkpoints(site)
    run = site.request_run("train-translator/on-demand", config=endless(tiny_config, seed=3))
    wait_for_training(site, run)

    site.started[-1].send_signal(signal.SIGTERM)

    assert site.started[-1].wait(120) == 0
    assert state_of(site, run) == "CRASHED"
    assert checkpoints(site) == before + 1
    assert not site.doing(run)


RUN = """
import signal, sys, time
from pathlib import Path
def save(number, frame):
    time.sleep(0.5)
    Path(sys.argv[1]).touch()
    sys.exit()
signal.signal(signal.SIGTERM, save)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
print("running", flush=True)
time.sleep(600)
"""
WORKER = f"""
import signal, subprocess, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until a run is ready for it
def start(name):
    run = subprocess.Popen([sys.executable, "-c", {RUN!r}, name], stdout=subprocess.PIPE)
    run.stdout.readline()
    return run
runs = [start("first")]
print("ready", flush=True)
time.sleep(0.2)
runs.append(start("second"))
for run in runs:
    run.wait()
"""


def test_a_run_that_begins_while_the_worker_ends_is_asked_to_save_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as worker:
        assert worker.stdout
        worker.stdout.readline()

        _end_runs(worker.pid)

        worker.kill()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_a_training_whose_worker_was_killed_saves_its_checkpoint_and_ends(
    site: Site, tiny_config: Callable[..., Config]
) -> None:
    before = checkpoints(site)
    site.start("worker", "flows", "worker")
    run = site.request_run("train-translator/on-demand", config=endless(tiny_config, seed=4))
    wait_for_training(site, run)

    site.started[-1].kill()

    site.wait(lambda: not site.doing(run), "its process ends")
    assert checkpoints(site) == before + 1
    assert state_of(site, run) in ("CRASHED", "CANCELLED")  # as Prefect or the run itself is first to notice


def test_one_line_switches_the_nightly_retraining_on(site: Site) -> None:
    text = (CHECKOUT / "prefect.yaml").read_text(encoding="utf-8")
    assert text.count("active: false") == 1
    switched = site.folder / "switched.yaml"
    switched.write_text(text.replace("active: false", "active: true"), encoding="utf-8")

    said = site.run("deploy", "--file", str(switched))

    assert "nightly 0 3 * * * UTC: active (was inactive)" in said
    site.wait(lambda: site.runs("retrain-translator/demo")[-1]["state_name"] == "Scheduled", "a run is scheduled")
    assert site.runs("retrain-translator/demo")[-1]["expected_start_time"][11:19] == "03:00:00"


def test_a_schedule_that_the_file_no_longer_names_is_removed(site: Site) -> None:
    def deploy(schedules: list[dict[str, Any]] | None) -> str:
        content = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text(encoding="utf-8"))
        content["deployments"][-1].pop("schedules")
        content["deployments"][-1] |= {} if schedules is None else {"schedules": schedules}
        (site.folder / "changed.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return site.run("deploy", "--file", str(site.folder / "changed.yaml"))

    deploy([{"slug": "nightly", "cron": "0 3 * * *", "active": True}])

    said = deploy([{"slug": "evening", "cron": "0 20 * * *"}])
    assert "evening 0 20 * * *: active, nightly 0 3 * * *: removed (was active)" in said
    assert "on demand, evening 0 20 * * *: removed (was active)" in deploy(None)
    assert site.ask("GET", "deployments/name/retrain-translator/demo")["schedules"] == []
