"""The one place that knows how Prefect caches.

A step of `seq2seq.pipeline` becomes a Prefect task whose result file *is* the index of the workspace:

* The key is computed before Prefect is asked, from content only (`pipeline.ingredients`).
* Prefect stores the record at `index/STEP/KEY.json`. A hit is that file, when it deserialises, and
  `RecordSerializer` refuses to deserialise a record whose artifact no longer holds what was published:
  a damaged or deleted artifact is a miss.
* Storage and key differ from call to call, so each call binds them with `Task.with_options`.
* Isolation is SERIALIZABLE over the locks of `tasks.locking`: of two runs that need the same step, one does it and the
  other waits and hits.
* Only what the network or a host did is retried (a training goes on from its checkpoint): what the data or the user
  did would fail again.
"""

import errno
import functools
import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, Literal, ParamSpec, cast

from prefect import Task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.serializers import Serializer
from prefect.task_engine import TaskRunTimeoutError
from prefect.tasks import exponential_backoff
from prefect.utilities.timeout import timeout

from seq2seq import pipeline
from seq2seq.config import Config
from seq2seq.errors import Seq2SeqError, SourceUnavailable, StepTimedOut, UserError
from seq2seq.settings.section import Section
from seq2seq.storage.artifacts import Record, Workspace, digest_of
from seq2seq.storage.disk import writing
from seq2seq.workspace.planning import NOT_DONE, look_up
from seq2seq.workspace.report import StepOutcome
from tasks.heartbeat import heartbeats
from tasks.index_storage import IndexStorage
from tasks.locking import locks_for
from tasks.presence import present
from tasks.reporting import headline, say
from tasks.stopping import StopRequest

P = ParamSpec("P")


HOST_TROUBLE = frozenset(
    (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH)
)
"""What a file system on a network answers while its host is away."""


def trying_again_may_help(task: Any, task_run: Any, state: Any) -> bool:
    """True for what the network or a host did, and for nothing else."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, SourceUnavailable) or _is_host_trouble(error)


def _is_host_trouble(error: object) -> bool:
    return isinstance(error, OSError) and error.errno in HOST_TROUBLE


RETRY_RULE: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(2.0),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": trying_again_may_help,
}


def code_of_all_steps() -> dict[str, str]:
    """Digest of each module that a step of the pipeline runs, now."""
    return pipeline.code_of(*pipeline.STEPS.values(), pipeline.INHERITED, pipeline.CONTINUED)


@dataclass
class PipelineRun:
    """What the steps of one run share: where they work, on what machine, and what became of them."""

    workspace: Workspace
    config: Config
    started: datetime = field(default_factory=lambda: datetime.now().astimezone())
    counter: float = field(default_factory=time.perf_counter)
    """Seconds by a clock that nobody sets, and that stands still while the machine sleeps, when the run began."""
    stop: StopRequest = field(default_factory=StopRequest)
    outcomes: list[StepOutcome] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    whose: str = ""
    """Which model the steps are done for now, where a run does them for two."""
    code: dict[str, str] = field(default_factory=code_of_all_steps)
    """Digest of each module that a step may run, as it was when the run began."""

    def require_same_code(self, step: str, code: Mapping[str, str]) -> None:
        """Raise UserError when code changed since the run began: what runs is not what the files say."""
        changed = [module for module, digest in code.items() if self.code.setdefault(module, digest) != digest]
        if changed:
            raise UserError(
                f"{', '.join(changed)} changed while this run was going on: {step} would be done with code of then and "
                "recorded as done with that of now. What is done stays done: the same command goes on from there."
            )

    def require_device(self) -> None:
        """Raise ConfigError where the first step that is to be done is followed by one that wants a missing device."""
        if self.config.runtime.device == "cuda":
            from seq2seq.device import device_of  # imports PyTorch

            device_of(self.config.runtime)

    def verify(self, record: Record) -> None:
        """Hash the record's files, once in a run; raises ArtifactDamaged. The record counts as used now."""
        if record.key not in self.verified:
            self.workspace.touch(record)
            self.workspace.verify(record)
            self.verified.add(record.key)

    def note(self, record: Record, cached: bool, seconds: float, why: str) -> None:
        """Remember what a step came to, and say it; `why` it was done where it was."""
        self.records[record.step] = record
        self.outcomes.append(StepOutcome(record.step, record.key, cached, round(seconds, 3), record.digest))
        say(headline(record, cached, seconds, why, self.whose))

    @contextmanager
    def of_the(self, model: str) -> Iterator[None]:
        """Name a model in the lines of the steps inside a `with` block."""
        self.whose = model
        try:
            yield
        finally:
            self.whose = ""


_current_run: ContextVar[PipelineRun] = ContextVar("pipeline_run")


@contextmanager
def pipeline_run(workspace: Workspace, config: Config) -> Iterator[PipelineRun]:
    """Steps called inside this context work in `workspace`, with the runtime settings of `config`."""
    run = PipelineRun(workspace, config)
    token = _current_run.set(run)
    try:
        with writing("the run's files", workspace.root), present(workspace), heartbeats():
            yield run
    finally:
        _current_run.reset(token)


def current_run() -> PipelineRun:
    """The run that this code is part of; LookupError outside `pipeline_run`."""
    return _current_run.get()


@dataclass
class Address(CachePolicy):
    """The key, known before the task runs, as the name of a result file below the index."""

    file: str = ""

    def compute_key(self, task_ctx: Any, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any) -> str:
        """The file's name below the result storage."""
        return self.file


class RecordSerializer(Serializer):  # not Serializer[Record]: Prefect would register the base as a serializer too
    """Records as JSON; a record loads only while its artifact holds what was published."""

    type: Literal["record"] = "record"

    def dumps(self, obj: Record | BaseException) -> bytes:
        """The record as JSON; of an exception, which `IndexStorage` does not store, what it says."""
        return obj.model_dump_json().encode() if isinstance(obj, Record) else str(obj).encode()

    def loads(self, blob: bytes) -> Record:
        """The record; raises ArtifactDamaged, which Prefect takes for a miss."""
        record = Record.model_validate_json(blob)
        current_run().verify(record)
        return record


class Work:
    """One call of a step: calling it does the work and gives the record. A cache hit never calls it."""

    def __init__(
        self,
        step: pipeline.Step,
        sections: Mapping[str, Section],
        inputs: Mapping[str, Record],
        source: Mapping[str, Any] | None,
    ) -> None:
        self.run = current_run()
        self.step = step
        self.sections = sections
        self.inputs = inputs
        self.provenance = pipeline.ingredients(step, sections, inputs, source)
        self.key = digest_of(self.provenance)
        self.done = False
        self.why = ""

    def __call__(self, **callbacks: Any) -> Record:
        record, why = look_up(self.step, self.provenance, self.run.workspace)
        if record is not None:  # whatever Prefect could not read a moment ago
            return record
        for code in (self.provenance["code"], pipeline.code_of(self.step)):  # before it waited, and now
            self.run.require_same_code(self.step.name, code)
        self.run.require_device()
        self.why = "" if why == NOT_DONE else why
        limit = self.run.config.runtime.max_step_minutes * 60 or None
        with timeout(limit, TaskRunTimeoutError):  # not the task's own limit, which would count waiting for locks too
            record = pipeline.perform(
                self.step,
                self.sections,
                self.inputs,
                self.run.workspace,
                self.provenance,
                self.run.config.runtime,
                **callbacks,
            )
        self.done = True
        return record


def cached_step(
    step: str | pipeline.Step, identify: Callable[[Any], Mapping[str, Any]] | None = None
) -> Callable[[Callable[Concatenate[Work, P], Record]], Callable[P, Record]]:
    """Make a step (of the pipeline, by name, or another) a function of its sections and input records, in that order.

    The decorated function is the body of the Prefect task: it gets a `Work` to call in front of those arguments,
    and runs only on a miss. `identify` gives, from the section, the identity of what lies outside the workspace.
    """

    def decorate(function: Callable[Concatenate[Work, P], Record]) -> Callable[P, Record]:
        name = step if isinstance(step, str) else step.name
        task = Task(function, name=name, persist_result=True, cache_result_in_memory=False, **RETRY_RULE)
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*positional: P.args, **named: P.kwargs) -> Record:
            _, *arguments = signature.bind(None, *positional, **named).args
            source = _identified(identify, arguments[0]) if identify else None
            return _run(task, pipeline.STEPS[step] if isinstance(step, str) else step, arguments, source)

        return call

    return decorate


def _identified(identify: Callable[[Any], Mapping[str, Any]], section: Any) -> Mapping[str, Any]:
    """What the section stands for outside the workspace; a task only where it is to be tried again."""
    try:
        return identify(section)
    except OSError as error:
        if not _is_host_trouble(error):
            raise
        say(f"{error}; trying again")
        return Task(identify, name="identify", cache_policy=NO_CACHE, **RETRY_RULE)(section)


def _run(
    task: Task[Any, Any], step: pipeline.Step, arguments: Sequence[Any], source: Mapping[str, Any] | None
) -> Record:
    started = time.perf_counter()
    sections = dict(zip(step.sections, arguments, strict=False))
    inputs = dict(zip(step.inputs, arguments[len(sections) :], strict=True))
    work = Work(step, sections, inputs, source)
    run = work.run
    storage = IndexStorage(basepath=str(run.workspace.index))
    stopped = f"Stopped while another run did {step.name}. What is done stays done: the same command goes on."
    locks = locks_for(run.workspace, run.config.runtime, _say_waiting, lambda: run.stop.heed(stopped))
    bound = task.with_options(
        task_run_name=f"{step.name} {work.key[:8]}",
        cache_policy=Address(
            isolation_level="SERIALIZABLE",
            lock_manager=locks,
            file=f"{step.name}/{work.key}.json",
        ),
        result_serializer=RecordSerializer(),
    )
    bound.result_storage = storage  # the constructor takes saved blocks and paths only
    try:
        record = cast(Record, bound(work, *arguments))
    except TaskRunTimeoutError:
        raise StepTimedOut(
            f"{step.name} took longer than runtime.max_step_minutes = {run.config.runtime.max_step_minutes:g}. What it "
            "saved stays: the same command goes on from there; a longer limit lets it finish."
        ) from None
    recorded = not locks.refusal and run.workspace.find(step.name, work.key) is not None
    if work.done and not recorded:  # Prefect only logs that it could not write it
        unknown = Seq2SeqError(f"{step.name}: the result could not be recorded; Prefect's log says why.")
        raise locks.refusal or storage.error or unknown
    run.note(record, not work.done, time.perf_counter() - started, work.why)
    run.stop.heed(f"Stopped after {step.name}, which is recorded: the same command goes on from there.")
    return record


def _say_waiting(key: str) -> None:
    say(f"{key.partition('/')[0]}: another run is doing this step; waiting for its result")
