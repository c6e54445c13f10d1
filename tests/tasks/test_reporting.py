from typing import Any

import pytest

from seq2seq.storage.artifacts import Record
from tasks.reporting import headline, told

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


def test_a_line_tells_which_model_it_is_about() -> None:
    adopted = Record.model_construct(step="adopt", digest="2e701e3b264412345", statistics={})
    assert headline(adopted, cached=True, seconds=0.04) == "adopt      cached     0.0 s  model 2e701e3b2644"
    scores = {"bleu": 98.6, "bleu_interval": [97.9, 99.3], "chrf": 99.2}
    evaluated = Record.model_construct(step="evaluate", statistics=scores)
    line = headline(evaluated, cached=False, seconds=1.4, why="training.seed 1 -> 2", whose="challenger")
    assert line.endswith("BLEU 98.6 [97.9, 99.3], chrF 99.2, challenger  (training.seed 1 -> 2)")
