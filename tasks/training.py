"""Task `train`."""

import shutil

from seq2seq.errors import UserError
from seq2seq.pipeline import CONTINUED
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.storage.artifacts import Record
from tasks.device_lock import only_training
from tasks.progress import TrainingDisplay
from tasks.reporting import say
from tasks.step import Work, cached_step, current_run
from tasks.stopping import stop_on_signals
from tasks.ui import show_training


def train(
    model: ModelSettings,
    training: TrainingSettings,
    encoded: Record,
    vocabulary: Record,
    cleaned: Record,
    parent: Record | None = None,
) -> Record:
    """Train, from the weights of `parent` where one is given; throw the checkpoints away once the result is safe."""
    if parent is None:
        record = _train(model, training, encoded, vocabulary, cleaned)
    else:
        record = _continue(model, training, encoded, vocabulary, cleaned, parent)
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
    return _watched(work)


@cached_step(CONTINUED)
def _continue(
    work: Work,
    model: ModelSettings,
    training: TrainingSettings,
    encoded: Record,
    vocabulary: Record,
    cleaned: Record,
    parent: Record,
) -> Record:
    """Train from the weights of a finished model, or go on with such a training that was stopped."""
    return _watched(work)


def _watched(work: Work) -> Record:
    from seq2seq.device import description  # imports PyTorch: only where a training begins
    from seq2seq.training.checkpoint import FILE, NOTHING_TO_FINISH

    run, settings = work.run, work.run.config
    if settings.runtime.finish and not (run.workspace.checkpoints(work.key) / FILE).is_file():
        raise UserError(NOTHING_TO_FINISH)  # before it waits for a device
    shown = TrainingDisplay(settings.training.warmup_steps)
    with stop_on_signals(run.stop) as stop, only_training(run, stop), shown as display:
        say(f"{'train':<10} on {description(settings.runtime, settings.training.precision)}")
        record = work(should_stop=stop, notify=display)
    show_training(record, work.run.workspace.open(record))
    return record
