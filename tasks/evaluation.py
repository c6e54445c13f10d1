"""Task `evaluate`."""

from seq2seq.artifacts import Record
from seq2seq.settings.evaluation import EvaluationSettings
from tasks.step import Work, cached_step


@cached_step("evaluate")
def evaluate(work: Work, evaluation: EvaluationSettings, model: Record, cleaned: Record) -> Record:
    """Translate the test set and score it against the raw references."""
    return work()
