"""An orderly end: the first SIGINT or SIGTERM lets a step save what it has."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from seq2seq.errors import TrainingInterrupted


class StoppedBySignal(TrainingInterrupted):
    """A step that ended because the process got a signal."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class StopRequest:
    """The signal that asked for the end, if one came."""

    signal_number: int | None = None

    def __call__(self) -> bool:
        return self.signal_number is not None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; a second one of them acts at once, as without this.

    Signals reach the main thread only: elsewhere (a task runner's thread) nothing is installed.
    """
    request = StopRequest()
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
