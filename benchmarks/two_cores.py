"""What a second core gives in training: one thread, two threads and two processes, in turn on the same batches.

    python -m benchmarks.two_cores CORPUS [--rounds 5] [--batch-tokens 1000] [--steps 40] [--precision bf16]
        [--settings model.input_feeding=true]

CORPUS is a folder with Multi30k's train, valid and test_2016_flickr texts. Each measurement is a training of the preset
`multi30k` that is stopped after its warm-up and `--steps` updates. The aim: two processes at 1.7 times one thread.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cyclopts import run

from benchmarks.plain import BEFORE_TRAINING, do, do_all
from benchmarks.timing import markdown_table
from seq2seq.config import Config, load_config
from seq2seq.errors import TrainingInterrupted
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.training.progress import Progress

WAYS = {
    "one thread": {"threads": 1, "processes": 1},
    "two threads": {"threads": 2, "processes": 1},
    "two processes": {"threads": 2, "processes": 2},
}
WARM_STEPS = 15


def seconds(config: Config, records: Mapping[str, Record], workspace: Workspace, steps: int) -> float:
    """Wall time of `steps` updates, after the warm-up."""
    times: dict[int, float] = {}

    def notice(event: Any) -> None:
        if isinstance(event, Progress):
            times[event.step] = time.perf_counter()

    try:
        do("train", config, records, workspace, notify=notice, should_stop=lambda: WARM_STEPS + steps in times)
    except TrainingInterrupted:
        return times[WARM_STEPS + steps] - times[WARM_STEPS]
    raise AssertionError("a training that is asked to stop stops")


def measure(
    corpus: Path,
    rounds: int = 5,
    batch_tokens: int = 1000,
    steps: int = 40,
    precision: str = "bf16",
    settings: Sequence[str] = (),
) -> None:
    """Print medians, their spread, and the ratio to one thread; `settings` are further ones, as section.field=value."""
    chosen = {
        "corpus": {"kind": "files", "directory": str(corpus), "valid": "valid", "test": "test_2016_flickr"},
        "training": {"batch_tokens": batch_tokens, "precision": precision, "validations_per_epoch": 0.01},
        "runtime": {"device": "cpu", "log_every_seconds": 1e-9, "checkpoint_every_seconds": 1e9},
    }
    walls: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        prepared = Workspace(Path(folder, "prepared"))
        records = do_all(BEFORE_TRAINING, _config(chosen, {}, settings), prepared)
        for number in range(rounds):
            for way, runtime in WAYS.items():
                workspace = Workspace(Path(folder, f"{number} {way}"))
                workspace.root.mkdir()
                (workspace.root / "artifacts").symlink_to(prepared.root / "artifacts")
                walls[way].append(seconds(_config(chosen, runtime, settings), records, workspace, steps))
    one = walls["one thread"]
    rows = []
    for way, times in walls.items():
        figures = (1000 * figure(times) / steps for figure in (median, min, max))
        ratios = (figure(one) / figure(times) for figure in (median, min))
        rows.append([way, *(f"{number:.1f}" for number in figures), *(f"{number:.2f}" for number in ratios)])
    header = (f"{precision}, batches of {batch_tokens}", "ms an update", "least", "most", "speed", "at its best")
    print(markdown_table(header, rows))


def _config(chosen: Mapping[str, Mapping[str, Any]], runtime: Mapping[str, int], settings: Sequence[str]) -> Config:
    values = [
        f"{section}.{name}={value}"
        for section, fields in {**chosen, "runtime": {**chosen["runtime"], **runtime}}.items()
        for name, value in fields.items()
    ]
    return load_config("multi30k", [*values, *settings])


if __name__ == "__main__":
    run(measure)
