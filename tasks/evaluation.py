"""Task `evaluate`."""

from seq2seq.pipeline import ON_VALID
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.storage.artifacts import Record
from tasks.progress import EvaluationDisplay
from tasks.step import Work, cached_step
from tasks.stopping import stop_on_signals
from tasks.ui import show_evaluation


def evaluate(evaluation: EvaluationSettings, model: Record, cleaned: Record, split: str = "test") -> Record:
    """Translate the test set, or the validation set, and score it against the raw references."""
    return (_on_valid if split == "valid" else _on_test)(evaluation, model, cleaned)


@cached_step("evaluate")
def _on_test(work: Work, evaluation: EvaluationSettings, model: Record, cleaned: Record) -> Record:
    """Translate the test set and score it against the raw references."""
    return _watched(work, model)


@cached_step(ON_VALID)
def _on_valid(work: Work, evaluation: EvaluationSettings, model: Record, cleaned: Record) -> Record:
    """Translate the validation set and score it against the raw references."""
    return _watched(work, model)


def _watched(work: Work, model: Record) -> Record:
    with stop_on_signals(work.run.stop) as stop, EvaluationDisplay() as display:
        record = work(should_stop=stop, notify=display)
    show_evaluation(record, model, work.run.workspace.open(record))
    return record
