"""What a setting gives or costs: trainings of the preset `multi30k` with one thing changed at a time.

    python -m benchmarks.ablations WORK CORPUS [--updates 3590] [--seeds 1,2,3] [--only preset,gru]

Each training has one thread and a core of its own; as many run at once as there are cores. All have the same number of
updates, so that a setting that makes an update dearer is not charged for it. How much dearer is not measured here: the
trainings have the machine one after another, at different times. The score is the best greedy BLEU on the validation
split; the test set is not looked at. What a training came to lies in WORK/results under the key of its step and is not
made again; one that was killed goes on from its checkpoint.
Prints a Markdown table after each training.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from statistics import mean
from typing import Any

from cyclopts import run

from benchmarks.peers.options import Corpus, Work
from benchmarks.plain import BEFORE_TRAINING, do, do_all, made_of
from benchmarks.timing import markdown_table
from seq2seq.config import Config, load_config
from seq2seq.storage.artifacts import Record, Workspace, digest_of

BASE = "preset"
VARIANTS: dict[str, tuple[str, ...]] = {
    BASE: (),
    "one dropout mask a sentence": ("model.variational_dropout=true",),
    "source word dropout 0.1": ("model.source_word_dropout=0.1",),
    "target word dropout 0.1": ("model.target_word_dropout=0.1",),
    "no subword dropout": ("training.subword_dropout=0",),
    "no label smoothing": ("training.label_smoothing=0",),
    "no average of weights": ("training.average_decay=0",),
    "inverse square root schedule": ("training.schedule=inverse_sqrt",),
    "constant learning rate": ("training.schedule=constant",),
    "R-Drop 1": ("training.r_drop=1",),
    "gru": ("model.architecture=gru",),
    "dot attention": ("model.attention=dot",),
    "additive attention": ("model.attention=additive",),
    "attention to states alone": ("model.attend_embeddings=false",),
    "input feeding": ("model.input_feeding=true",),
    "layer norm": ("model.layer_norm=true",),
    "two encoder layers": ("model.encoder_layers=2",),
    "two residual encoder layers": ("model.encoder_layers=2", "model.residual=true"),
    "two decoder layers": ("model.decoder_layers=2",),
    "two residual decoder layers": ("model.decoder_layers=2", "model.residual=true"),
    "output not tied": ("model.tie_embeddings=false",),
    "joint vocabulary": ("vocabulary.joint=true",),
    "joint vocabulary and one embedding": ("vocabulary.joint=true", "model.share_embeddings=true"),
    "both directions": ("vocabulary.joint=true", "vocabulary.language_tags=true"),
}


@dataclass(frozen=True)
class Training:
    """One training of the table."""

    variant: str
    seed: int
    config: Config
    records: Mapping[str, Record]

    @property
    def key(self) -> str:
        """Of the train step: equal keys have equal results."""
        return digest_of(made_of("train", self.config, self.records))

    def result(self, work: Path) -> Path:
        """Where its statistics are once it is over."""
        return work / "results" / f"{self.key}.json"


def measure(
    work: Work,
    corpus: Corpus,
    updates: int = 3590,
    seeds: str = "1",
    only: str = "",
    settings: Sequence[str] = (),
) -> None:
    """Train what is not trained yet, and print the table.

    Parameters
    ----------
    updates
        Updates of each training; 3,590 are ten minutes of two cores.
    seeds
        Seeds of each variant, separated by commas.
    only
        Variants to train, separated by commas, in place of all.
    settings
        Settings of all trainings, as section.field=value.
    """
    work = work.resolve()
    (work / "results").mkdir(parents=True, exist_ok=True)
    chosen = only.split(",") if only else list(VARIANTS)
    if unknown := [variant for variant in chosen if variant not in VARIANTS]:
        raise SystemExit(f"No variant is called {unknown[0]!r}. There are: {', '.join(VARIANTS)}.")
    common = (
        *("corpus.kind=files", f"corpus.directory={corpus.resolve()}", "corpus.test=test_2016_flickr"),
        *("training.max_epochs=0", f"training.max_steps={updates}", f"training.patience={updates}"),
        *("runtime.threads=1", "runtime.device=cpu"),
        *settings,
    )
    workspace = Workspace(work / "workspace")
    trainings, prepared = [], {}
    for seed in map(int, seeds.split(",")):
        for variant in chosen:
            config = load_config("multi30k", [*common, *VARIANTS[variant], f"training.seed={seed}"])
            if (text := config.vocabulary) not in prepared:
                prepared[text] = do_all(BEFORE_TRAINING, config, workspace)
            trainings.append(Training(variant, seed, config, prepared[text]))
    missing = [training for training in trainings if not training.result(work).exists()]
    for done in side_by_side(missing, work):
        print(f"{done.variant}, seed {done.seed}\n\n{table(trainings, work)}\n", flush=True)
    if not missing:
        print(table(trainings, work))


def side_by_side(trainings: Sequence[Training], work: Path) -> Iterator[Training]:
    """Do the trainings, one a core at a time; gives each as it ends."""
    context = get_context("spawn")
    cores: Queue[int] = context.Queue()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), context, _take_core, (cores,)) as pool:
        waiting = {pool.submit(_train, training, work): training for training in trainings}
        for future in as_completed(waiting):
            future.result()
            yield waiting[future]


def _take_core(cores: "Queue[int]") -> None:
    os.sched_setaffinity(0, {cores.get()})


def _train(training: Training, work: Path) -> None:
    record = do("train", training.config, training.records, Workspace(work / "workspace"))
    statistics = {name: value for name, value in record.statistics.items() if name != "history"}
    path = training.result(work)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps({"variant": training.variant, "seed": training.seed, **statistics}), "utf-8")
    unfinished.replace(path)


def table(trainings: Sequence[Training], work: Path) -> str:
    """Scores of what is there, each variant beside the preset with the same seeds."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for training in trainings:
        if (path := training.result(work)).exists():
            found.setdefault(training.variant, {})[training.seed] = json.loads(path.read_text(encoding="utf-8"))
    rows = [_row(variant, by_seed, found.get(BASE, {})) for variant, by_seed in found.items()]
    return markdown_table(("", "seeds", "validation BLEU", "difference, mean", "of each seed"), rows)


def _row(
    variant: str, by_seed: Mapping[int, Mapping[str, Any]], base: Mapping[int, Mapping[str, Any]]
) -> tuple[str, ...]:
    scores = ", ".join(f"{result['valid_bleu']:.1f}" for result in by_seed.values())
    shared = [seed for seed in by_seed if seed in base]
    if variant == BASE or not shared:
        return variant, str(len(by_seed)), scores, "", ""
    gains = [by_seed[seed]["valid_bleu"] - base[seed]["valid_bleu"] for seed in shared]
    each = ", ".join(f"{gain:+.1f}" for gain in gains)
    return variant, str(len(by_seed)), scores, f"{mean(gains):+.2f}", each


if __name__ == "__main__":
    run(measure)
