"""Task `evaluate`."""

from seq2seq.artifacts import Record
from seq2seq.settings.evaluation import EvaluationSettings
from tasks.progress import EvaluationDisplay
from tasks.step import Work, cached_step
from tasks.stopping import stop_on_signals
from tasks.ui import show_evaluation


@cached_step("evaluate")
def evaluate(work: Work, evaluation: EvaluationSettings, model: Record, cleaned: Record) -> Record:
    """Translate the test set and score it against the raw references."""
    with stop_on_signals() as stop, EvaluationDisplay() as display:
        record = work(should_stop=stop, notify=display)
    show_evaluation(record, model, work.run.workspace.open(record))
    return record
