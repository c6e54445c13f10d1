"""What `torch.compile` gives in training: updates with and without it, in turn on the same batches.

    python -m benchmarks.compiled CORPUS [--warm-updates 15] [--updates 20] [--presets multi30k,multi30k-transformer]

CORPUS is a folder with Multi30k's train, valid and test_2016_flickr texts. Encoder and decoder are compiled with
shapes left open, as batches have all of them; the output layer with its loss is one function of our own already. One
thread, the precision that the preset takes; wall time of the first updates, in which the compiler works in processes of
its own, and processor time after them. Needs a C++ compiler. With torch 2.13 the LSTM's compilation fails when a few
more shapes have come (pytorch#188323): hence so few updates.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import torch
from cyclopts import run
from tokenizers import Tokenizer

from benchmarks.plain import BEFORE_TRAINING, do_all
from benchmarks.timing import markdown_table
from seq2seq.config import Config, load_config
from seq2seq.corpora.pairs import SIDES
from seq2seq.device import configure
from seq2seq.models.build import build_model
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.training.data import read_training_data
from seq2seq.training.learner import Learner
from seq2seq.training.peers import Alone
from seq2seq.training.shares import shares

WAYS = ("as it is", "torch.compile")


def measure(
    corpus: Path, warm_updates: int = 15, updates: int = 20, presets: str = "multi30k,multi30k-transformer"
) -> None:
    """Print, for each preset, what the first updates took and what an update takes after them."""
    settings = (
        *("corpus.kind=files", f"corpus.directory={corpus}", "corpus.test=test_2016_flickr"),
        *("runtime.threads=1", "runtime.device=cpu"),
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for preset in presets.split(","):
            config = load_config(preset, settings)
            configure(config.runtime)
            torch.compiler.reset()
            workspace = Workspace(Path(folder, preset))
            records = do_all(BEFORE_TRAINING, config, workspace)
            times = seconds(config, records, workspace, warm_updates, updates)
            for way, each in times.items():
                first, after = sum(each[:warm_updates]), each[warm_updates:]
                figures = (1000 * figure(after) for figure in (median, min, max))
                speed = median(times[WAYS[0]][warm_updates:]) / median(after)
                rows.append((preset, way, f"{first:.0f}", *(f"{number:.0f}" for number in figures), f"{speed:.2f}"))
    header = ("", "", f"s for the first {warm_updates} updates", "ms an update after", "least", "most", "speed")
    print(markdown_table(header, rows))


def seconds(
    config: Config, records: Mapping[str, Record], workspace: Workspace, warm_updates: int, updates: int
) -> dict[str, list[float]]:
    """Time of each update, for each way."""
    vocabulary = workspace.open(records["vocabulary"])
    source, target = (Tokenizer.from_file(str(vocabulary.file(f"{side}_tokenizer.json"))) for side in SIDES)
    pairs = workspace.open(records["encode"]).file("train.arrow")
    data = read_training_data(pairs, source, target, config.training)
    batches = shares(data, 0, 0, 0, 1, 1, 1, torch.device("cpu"))
    learners = {way: learner(config, source.get_vocab_size(), target.get_vocab_size()) for way in WAYS}
    compiled = learners["torch.compile"].model
    for method in ("encode", "decode"):
        setattr(compiled, method, torch.compile(getattr(compiled, method), dynamic=True))
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for number, share in zip(range(1, warm_updates + updates + 1), batches, strict=False):
        clock = time.perf_counter if number <= warm_updates else time.process_time
        for way, each in learners.items():
            started = clock()
            each.update(share, number, config.training.learning_rate / 10)
            times[way].append(clock() - started)
    return times


def learner(config: Config, *sizes: int) -> Learner:
    """A network with its optimizer."""
    torch.manual_seed(config.training.seed)
    made = Learner(build_model(config.model, *sizes), config.training, Alone())
    made.start(0)
    return made


if __name__ == "__main__":
    run(measure)
