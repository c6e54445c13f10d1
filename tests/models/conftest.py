"""Training as in tests/training, over one vocabulary for both sides, which embeddings can share."""

import pytest

from seq2seq.storage.artifacts import Record, Workspace
from tests.training.conftest import SETTINGS, prepare, train

__all__ = ["train"]

VOCABULARY = {**SETTINGS["vocabulary"], "joint": True}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, Record]]:
    return prepare(tmp_path_factory, VOCABULARY)
