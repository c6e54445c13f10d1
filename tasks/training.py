"""Task `train`: stopped in good order by signals, and shown while it runs."""

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from seq2seq.artifacts import Record
from seq2seq.errors import TrainingInterrupted
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.training import TrainingSettings
from tasks.step import Work, cached_step, current_run


class StoppedBySignal(TrainingInterrupted):
    """A training that ended because the process got a signal; its checkpoint is saved."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class StopRequest:
    """The signal that asked for the end, if one came."""

    signal_number: int | None = None

    def __call__(self) -> bool:
        return self.signal_number is not None


def train(
    model: ModelSettings,
    training: TrainingSettings,
    encoded: Record,
    vocabulary: Record,
    cleaned: Record,
) -> Record:
    """Train, and throw the checkpoints away once the result is safe in the index."""
    record = _train(model, training, encoded, vocabulary, cleaned)
    shutil.rmtree(current_run().workspace.checkpoints(record.key), ignore_errors=True)
    return record


@cached_step("train")
def _train(
    work: Work,
    model: ModelSettings,
    training: TrainingSettings,
    encoded: Record,
    vocabulary: Record,
    cleaned: Record,
) -> Record:
    """Train the encoder-decoder, or go on with a training of this key that was stopped."""
    with stop_on_signals() as stop:
        try:
            return work(should_stop=stop)
        except TrainingInterrupted as interruption:
            if stop.signal_number is None:
                raise
            raise StoppedBySignal(str(interruption), stop.signal_number) from interruption


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
    finally:
        restore()
