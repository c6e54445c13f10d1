"""An orderly end: the first SIGINT or SIGTERM, Cancel or Suspend in Prefect's UI, or the death of the worker lets a
step save what it has.

A run that was stopped so ends as Cancelled in Prefect, not as Failed; a suspended one stays so, until it is resumed.
"""

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ParamSpec, TypeVar, cast

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.logging import get_logger
from prefect.states import Cancelled

from seq2seq.errors import TrainingInterrupted

P = ParamSpec("P")
R = TypeVar("R")

POLL_SECONDS = 10.0
"""How often a run asks whether it was cancelled in the UI: a request takes some 20 ms."""
SERVER_AWAY_SECONDS = 600.0
"""Pause after a question without an answer: Prefect repeats it for minutes, in which the step stands still."""


class StoppedBySignal(TrainingInterrupted):
    """A step that ended because the process got a signal."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class StopRequest:
    """Says whether the end has come: by the signal named here, in Prefect's UI, or because the worker was killed."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._cancelled = False
        self._asked = time.monotonic()
        self._worker = os.getppid() if _runs_under_a_worker() else None

    def __call__(self) -> bool:
        orphaned = self._worker is not None and os.getppid() != self._worker
        return self.signal_number is not None or orphaned or _is_suspended() or self._cancelled_in_ui()

    def heed(self, message: str) -> None:
        """Raise TrainingInterrupted, with that message, if the end has come."""
        if self():
            raise (
                TrainingInterrupted(message)
                if self.signal_number is None
                else StoppedBySignal(message, self.signal_number)
            )

    def _cancelled_in_ui(self) -> bool:
        if not self._cancelled and time.monotonic() - self._asked >= POLL_SECONDS:
            answer = _is_cancelling()
            self._cancelled = bool(answer)
            self._asked = time.monotonic() + (SERVER_AWAY_SECONDS if answer is None else 0)
        return self._cancelled


@contextmanager
def stop_on_signals(request: StopRequest) -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into that request; a second one of them acts at once, as without this.

    Signals reach the main thread only: elsewhere (a task runner's thread) nothing is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        request.signal_number = number
        restore()

    for number in before:
        signal.signal(number, ask)
    try:
        yield request
    except TrainingInterrupted as interruption:
        if request.signal_number is None:
            raise
        raise StoppedBySignal(str(interruption), request.signal_number) from interruption
    finally:
        restore()


def cancelled_when_stopped(flow: Callable[P, R]) -> Callable[P, R]:
    """Let the body of a flow that was asked to stop end its run as Cancelled.

    A run started by hand returns that state, with the interruption as its result: the caller gets it raised. Under
    a worker that ends, the run's next state is the worker's to say, so the signal is handed on to Prefect.
    """

    @functools.wraps(flow)
    def call(*positional: P.args, **named: P.kwargs) -> R:
        try:
            return flow(*positional, **named)
        except TrainingInterrupted as stopped:
            if _runs_under_a_worker() and isinstance(stopped, StoppedBySignal) and not _is_cancelling():
                raise TerminationSignal(stopped.signal_number) from stopped
            return cast(R, Cancelled(message=str(stopped), data=stopped))

    return call


def _is_suspended() -> bool:
    """Whether Prefect heard that the run was suspended: it then ends without a state, and Resume starts it anew."""
    context = FlowRunContext.get()
    return context is not None and context.flow_run_suspension_request.is_requested()


def _is_cancelling() -> bool | None:
    """What the server says of this run; None when it does not answer."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return False
    try:
        state = get_client(sync_client=True).read_flow_run(context.flow_run.id).state
    except Exception as error:  # a training outlives a server that does not answer
        get_logger(__name__).debug("could not ask whether the run was cancelled: %s", error)
        return None
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def _runs_under_a_worker() -> bool:
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None
