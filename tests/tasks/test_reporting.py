from typing import Any

import pytest

from seq2seq.workspace.artifacts import Record
from tasks.reporting import told

TRAIN = {"pairs_before": 1200, "pairs_after": 1100, "dropped": {"empty": 100, "leak": 0}}


@pytest.mark.parametrize(
    ("splits", "line"),
    [
        ({"train": TRAIN}, "kept 1,100 of 1,200 training pairs; dropped 100 empty"),
        (
            {"train": TRAIN, "test": {"pairs_after": 2000, "seen_sources": 1300}},
            "kept 1,100 of 1,200 training pairs; dropped 100 empty; 1,300 of 2,000 test sources are in training, too",
        ),
        ({"test": {"pairs_after": 2000}}, "nothing to drop: no training split"),
    ],
)
def test_cleaning_is_told_in_a_few_words(splits: dict[str, Any], line: str) -> None:
    assert told(Record.model_construct(step="clean", statistics={"splits": splits})) == line
