"""Validation BLEU after each minute of training: this project's preset beside what users of other toolkits start from.

    python -m benchmarks.peers.install WORK
    python -m benchmarks.quality_by_minutes WORK CORPUS --minutes 10

Each toolkit trains alone, with its own recipe (`own`: its defaults, its published configuration for a small corpus, or
this project's preset for that many minutes, validations included) and with the model and optimizer that all share
(`same`). The weights are kept after each minute, which does not count; all are decoded in the end,
greedily, and scored in one way: cased BLEU, 13a, detokenized. Trainings and translations that are there already, in
WORK/quality, are not made again. Prints a Markdown table.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from cyclopts import run

from benchmarks.peers.corpus import bleu, detokenized, prepare, read_lines
from benchmarks.peers.options import Corpus, Systems, Threads, Work
from benchmarks.peers.systems import System, chosen, job, start
from benchmarks.timing import markdown_table

DEFAULT = "tutorial,joeynmt,opennmt,eole-bf16,ours-bf16"
ONLY: Mapping[str, Sequence[str]] = {"drive_tutorial": ["same"]}
"""Drivers with one recipe."""


def measure(
    work: Work,
    corpus: Corpus,
    minutes: int = 10,
    systems: Systems = DEFAULT,
    threads: Threads = 1,
    recipes: Sequence[Literal["own", "same"]] = ("own", "same"),
) -> None:
    """Train, decode and print the table.

    Parameters
    ----------
    minutes
        Minutes that each toolkit trains.
    recipes
        Each given by an option of its own; the tutorial loop has only `same`.
    """
    work = work.resolve()
    text = prepare(work, corpus.resolve())
    rows = []
    for name, system in chosen(systems.split(",")).items():
        for recipe in ONLY.get(system.module, recipes):
            folder = work / "quality" / f"{name}-{recipe}-{minutes}min-{threads}threads"
            weights = kept(name, system, folder, work, recipe, minutes, threads)
            scores = [scored(name, system, path, work, text, recipe) for path in weights]
            rows.append((system.label, recipe, *(f"{score:.1f}" for score in scores)))
            print(rows[-1], flush=True)
    header = ("validation BLEU after", "recipe", *(f"{minute + 1} min" for minute in range(minutes)))
    print(markdown_table(header, rows))


def kept(name: str, system: System, folder: Path, work: Path, recipe: str, minutes: int, threads: int) -> list[Path]:
    """The weights after each minute of a training; it is made when they are not all there."""
    paths = [folder / str(minute + 1) for minute in range(minutes)]
    if paths[-1].exists():
        return paths
    asked = job(name, system, work, threads, recipe=recipe, minutes=float(minutes), folder=str(folder / "run"))
    driver = start(system, asked, work)
    driver.answer()
    over = False
    for path in paths:
        if not over:
            turn = driver.ask(seconds=60.0, updates=1)
            over = turn["seconds"] < 60.0
        driver.ask(save=str(path))
    driver.end()
    return paths


def scored(name: str, system: System, checkpoint: Path, work: Path, text: Path, recipe: str) -> float:
    """BLEU of the validation split, translated greedily; the translations are kept beside the checkpoint."""
    translations = checkpoint.with_name(f"{checkpoint.name}.json")
    if not translations.exists():
        asked = job(
            name, system, work, 2, recipe=recipe, checkpoint=str(checkpoint), folder=str(checkpoint.parent / "run")
        )
        driver = start(system, replace(asked, precision="fp32"), work)
        driver.answer()
        ours = system.module == "drive_ours"
        source = read_lines(text / ("valid.src.raw" if ours else "valid.src"))
        lines = driver.ask(lines=source, beam=1, batch=system.greedy_batch)["lines"]
        driver.end()
        translations.write_text(json.dumps(lines if ours else detokenized(text, lines)), encoding="utf-8")
    return bleu(text, "valid", json.loads(translations.read_text(encoding="utf-8")))


if __name__ == "__main__":
    run(measure)
