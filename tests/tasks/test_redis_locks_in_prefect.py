"""Steps under locks in a Redis server, in real flow runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import redis
from prefect import flow

from seq2seq.config import Config
from seq2seq.errors import SourceUnavailable
from seq2seq.pipeline import STEPS, Job, Step
from seq2seq.storage.artifacts import Record, Workspace
from tasks import step as step_module
from tasks.redis_locks import LockLost
from tasks.step import PipelineRun, Work, cached_step, pipeline_run
from tests.tasks.conftest import free_port

CHECKOUT = Path(__file__).parents[2]

Run = Callable[[str], PipelineRun]


@pytest.fixture
def attempts() -> list[Callable[[], None]]:
    """What happens while the step works, attempt by attempt."""
    return []


@pytest.fixture
def run(
    prefect_server: str, attempts: list[Callable[[], None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs a flow of one step whose locks are at an address."""

    def work(job: Job) -> dict[str, Any]:
        attempts.pop(0)()
        (job.into / "done.txt").write_text("done", encoding="utf-8")
        return {}

    module = ModuleType("one_step")
    vars(module)["work"] = work
    monkeypatch.setitem(sys.modules, "one_step", module)
    monkeypatch.setitem(step_module.RETRY_RULE, "retry_delay_seconds", 0)

    @cached_step(Step("one", "one_step:work", (), {}, ()))
    def one(work: Work) -> Record:
        return work()

    @flow
    def one_step(address: str) -> None:
        with pipeline_run(Workspace(tmp_path), Config.model_validate({"runtime": {"locks": address}})) as run:
            runs.append(run)
            one()

    runs: list[PipelineRun] = []

    def go(address: str) -> PipelineRun:
        one_step(address)
        return runs[-1]

    return go


def test_a_result_made_under_a_lost_lock_is_not_recorded_and_the_same_command_makes_it_again(
    run: Run, attempts: list[Callable[[], None]], redis_address: str, tmp_path: Path
) -> None:
    attempts += [lambda: redis.Redis.from_url(redis_address).flushall(), lambda: None]

    with pytest.raises(LockLost, match=f"the lock at {redis_address} ended while this run held it"):
        run(redis_address)

    assert list((tmp_path / "index").rglob("*.json")) == []
    assert [outcome.cached for outcome in run(redis_address).outcomes] == [False]
    assert [outcome.cached for outcome in run(redis_address).outcomes] == [True]
    assert redis.Redis.from_url(redis_address).keys() == []


def test_a_server_that_does_not_answer_ends_the_run_with_its_address(run: Run) -> None:
    address = f"redis://127.0.0.1:{free_port()}"

    with pytest.raises(SourceUnavailable, match=f"The Redis server {address} of runtime.locks does not answer"):
        run(address)


def test_two_processes_cold_at_once_do_each_step_once_in_total(
    prefect_server: str, redis_address: str, tiny_project: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "flows", "train", str(tiny_project / "tiny.toml")]
    options = ["--workspace", str(tmp_path / "workspace"), "--set", f"runtime.locks={redis_address}"]
    environment = os.environ | {"PREFECT_API_URL": prefect_server}

    processes = [
        subprocess.Popen(
            command + options, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=600) for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    reports = [json.loads(Path(output.splitlines()[-1].partition(": ")[2]).read_text()) for output, _ in outputs]
    done = [step["name"] for report in reports for step in report["steps"] if not step["cached"]]
    assert sorted(done) == sorted(STEPS)
