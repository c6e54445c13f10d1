"""Task `adopt`: a model folder from elsewhere, to be scored or to go on from."""

from pathlib import Path

from seq2seq.config import Config
from seq2seq.registry import adoption, inheritance
from seq2seq.registry.adoption import ModelSource
from seq2seq.storage.artifacts import Record
from tasks.step import Work, cached_step


@cached_step(adoption.ADOPT, identify=adoption.identity)
def _adopt(work: Work, source: ModelSource) -> Record:
    """Take a model folder from elsewhere into the workspace."""
    return work()


def adopt(folder: Path) -> Record:
    """Take a model folder from elsewhere into the workspace. Raises ModelError when it is not in order."""
    return _adopt(ModelSource(directory=str(folder)))


def adopt_parent(folder: Path, config: Config) -> Record:
    """The same for the model that a training goes on from. Raises ModelError when it does not fit, too."""
    inheritance.check(folder, config)
    return adopt(folder)
