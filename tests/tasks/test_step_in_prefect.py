"""Cached steps inside real flow runs: retries, records, and what a failed run leaves."""

import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort

from seq2seq.config import Config
from seq2seq.errors import CorpusError, DiskError, SourceUnavailable, StepTimedOut, TrainingInterrupted
from seq2seq.pipeline import Job, Step
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.settings.section import Section
from seq2seq.storage.artifacts import Record, Workspace
from tasks import index_storage, stopping
from tasks import step as step_module
from tasks.locks import FileLocks
from tasks.step import PipelineRun, Work, cached_step, pipeline_run
from tasks.stopping import StoppedBySignal, cancelled_when_stopped, stop_on_signals

pytestmark = pytest.mark.usefixtures("prefect_server")


class EchoSettings(Section):
    """What the step writes."""

    text: str = "hello"


class Echo:
    """A step that writes its text, after raising the errors it was given."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.seconds = 0.0
        self.signals: list[signal.Signals] = []
        self.attempts = 0
        self.found: list[int] = []

    def work(self, echo: EchoSettings, job: Job) -> dict[str, Any]:
        self.attempts += 1
        job.checkpoints.mkdir(parents=True, exist_ok=True)
        self.found.append(len(list(job.checkpoints.iterdir())))
        (job.checkpoints / str(self.attempts)).touch()
        if self.errors:
            raise self.errors.pop(0)
        time.sleep(self.seconds)
        (job.into / "echo.txt").write_text(echo.text, encoding="utf-8")
        while self.signals:
            os.kill(os.getpid(), self.signals.pop())
        return {}


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Echo:
    made = Echo()
    module = ModuleType("echo_step")
    vars(module)["work"] = made.work
    monkeypatch.setitem(sys.modules, "echo_step", module)
    monkeypatch.setitem(step_module.RETRY_RULE, "retry_delay_seconds", 0)
    return made


@pytest.fixture
def run(echo: Echo, tmp_path: Path) -> Callable[..., PipelineRun]:
    """Runs a flow of that one step; gives what became of it."""

    @cached_step(Step("echo", "echo_step:work", ("echo",), {}, ()))
    def task(work: Work, echo: EchoSettings) -> Record:
        with stop_on_signals(work.run.stop):
            return work()

    @flow
    @cancelled_when_stopped
    def one_step(text: str, max_step_minutes: float) -> None:
        config = Config(runtime=RuntimeSettings(max_step_minutes=max_step_minutes))
        with pipeline_run(Workspace(tmp_path), config) as run:
            runs.append(run)
            task(EchoSettings(text=text))

    runs: list[PipelineRun] = []

    def go(text: str = "hello", max_step_minutes: float = 0) -> PipelineRun:
        one_step(text, max_step_minutes)
        return runs[-1]

    return go


def test_an_unavailable_source_is_tried_again(echo: Echo, run: Callable[..., PipelineRun]) -> None:
    echo.errors = [SourceUnavailable("503"), SourceUnavailable("503")]

    (outcome,) = run().outcomes

    assert echo.attempts == 3
    assert echo.found == [0, 1, 2], "each attempt finds what the one before it saved"
    assert not outcome.cached


def test_a_source_that_stays_unavailable_is_given_up(echo: Echo, run: Callable[..., PipelineRun]) -> None:
    echo.errors = [SourceUnavailable("503")] * 9

    with pytest.raises(SourceUnavailable):
        run()

    assert echo.attempts == 1 + step_module.RETRY_RULE["retries"]


@pytest.mark.parametrize(
    ("number", "attempts", "ends_as"), [(errno.ESTALE, 3, StateType.COMPLETED), (errno.EACCES, 1, StateType.FAILED)]
)
def test_a_source_on_a_host_that_is_away_is_looked_at_again(
    echo: Echo, tmp_path: Path, number: int, attempts: int, ends_as: StateType
) -> None:
    errors = [OSError(number, "away"), OSError(number, "away")]
    looked = []

    def identify(section: EchoSettings) -> dict[str, str]:
        looked.append(section)
        if errors:
            raise errors.pop()
        return {"text": section.text}

    @cached_step(Step("echo", "echo_step:work", ("echo",), {}, ()), identify=identify)
    def task(work: Work, echo: EchoSettings) -> Record:
        return work()

    @flow
    def one_step() -> None:
        with pipeline_run(Workspace(tmp_path), Config()):
            task(EchoSettings())

    one_step(return_state=True)

    assert looked == [EchoSettings()] * attempts
    assert how_the_last_run_ended()[0] is ends_as


def test_what_the_user_did_is_not_tried_again_and_leaves_no_record(
    echo: Echo, run: Callable[..., PipelineRun], tmp_path: Path
) -> None:
    echo.errors = [CorpusError("the file is empty")]

    with pytest.raises(CorpusError, match="the file is empty"):
        run()

    assert echo.attempts == 1
    assert [path for path in (tmp_path / "index").rglob("*") if path.is_file()] == []
    assert list((tmp_path / "artifacts").rglob("*")) == [tmp_path / "artifacts" / "echo"]


def test_the_record_lies_in_the_index_under_its_key(run: Callable[..., PipelineRun], tmp_path: Path) -> None:
    made = run().records["echo"]

    assert (tmp_path / "index" / "echo" / f"{made.key}.json").is_file()
    assert Workspace(tmp_path).find("echo", made.key) == made


def test_a_step_is_done_once_for_each_content(echo: Echo, run: Callable[..., PipelineRun]) -> None:
    cached = [outcome.cached for text in ("a", "b", "a", "b") for outcome in run(text).outcomes]

    assert cached == [False, False, True, True]
    assert echo.attempts == 2


def test_a_record_that_cannot_be_read_is_made_again(
    echo: Echo, run: Callable[..., PipelineRun], tmp_path: Path
) -> None:
    key = run().records["echo"].key
    (tmp_path / "index" / "echo" / f"{key}.json").write_text("{", encoding="utf-8")

    assert [outcome.cached for outcome in run().outcomes] == [False]
    assert Workspace(tmp_path).find("echo", key) is not None


def test_a_failed_step_warns_of_nothing_but_its_failure(
    echo: Echo, run: Callable[..., PipelineRun], caplog: pytest.LogCaptureFixture
) -> None:
    echo.errors = [CorpusError("the file is empty")]

    with pytest.raises(CorpusError):
        run()

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == []


def test_a_record_that_cannot_be_written_fails_the_run(
    run: Callable[..., PipelineRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as full_disk:
        full_disk.setattr(index_storage, "write_bytes_atomically", refuse)
        with pytest.raises(DiskError, match=r"could not be written to .*index/echo/.*the disk is full"):
            run()

    assert [outcome.cached for outcome in run().outcomes] == [False]


def test_a_step_that_takes_longer_than_it_may_fails_once_and_says_how_to_go_on(
    echo: Echo, run: Callable[..., PipelineRun]
) -> None:
    echo.seconds = 30

    with pytest.raises(StepTimedOut, match=r"echo took longer than runtime.max_step_minutes = 0.01"):
        run(max_step_minutes=0.01)

    assert echo.attempts == 1
    echo.seconds = 0
    assert [outcome.cached for outcome in run().outcomes] == [False]


def another_run_does_the_step(run: Callable[..., PipelineRun], workspace: Path) -> Callable[[], None]:
    """The step is not done yet, and its lock held; gives what releases it."""
    key = run().records["echo"].key
    Workspace(workspace).index_file("echo", key).unlink()
    locks = FileLocks(Workspace(workspace).locks)
    locks.acquire_lock(f"echo/{key}.json", "another run")
    return lambda: locks.release_lock(f"echo/{key}.json", "another run")


def test_waiting_for_another_run_is_not_counted_as_time_that_a_step_takes(
    run: Callable[..., PipelineRun], tmp_path: Path
) -> None:
    release = threading.Timer(8, another_run_does_the_step(run, tmp_path))
    release.start()

    assert [outcome.cached for outcome in run(max_step_minutes=0.1).outcomes] == [False]

    release.join()


def test_a_run_that_waits_for_another_can_be_cancelled_in_the_ui(
    run: Callable[..., PipelineRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = another_run_does_the_step(run, tmp_path)
    monkeypatch.setattr(stopping, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(stopping, "_is_cancelling", lambda: True)
    deadline = threading.Timer(60, release)
    deadline.start()

    with pytest.raises(TrainingInterrupted, match="Stopped while another run did echo"):
        run()

    deadline.cancel()
    release()
    assert how_the_last_run_ended()[0] is StateType.CANCELLED


def how_the_last_run_ended() -> tuple[StateType, str | None]:
    with get_client(sync_client=True) as client:
        last = client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1)[0]
    assert last.state is not None
    return last.state.type, last.state.message


def test_a_run_that_was_asked_to_stop_ends_as_cancelled(echo: Echo, run: Callable[..., PipelineRun]) -> None:
    echo.errors = [TrainingInterrupted("stopped at step 7")]

    with pytest.raises(TrainingInterrupted, match="stopped at step 7"):
        run()

    assert how_the_last_run_ended() == (StateType.CANCELLED, "stopped at step 7")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_a_step_s_last_look_ends_the_run_once_the_result_is_recorded(
    echo: Echo, run: Callable[..., PipelineRun], number: signal.Signals
) -> None:
    echo.signals = [number]

    with pytest.raises(StoppedBySignal, match=r"Stopped after echo, which is recorded") as raised:
        run()

    assert raised.value.signal_number == number
    assert how_the_last_run_ended() == (StateType.CANCELLED, str(raised.value))
    assert [outcome.cached for outcome in run().outcomes] == [True]
