"""Sentences a second in translation, each toolkit with a model that it trained itself: this project and others.

    python -m benchmarks.peers.install WORK
    python -m benchmarks.decoding_speed WORK CORPUS

Trains a model with each toolkit first, all with the same model and optimizer where they can, for TRAIN_MINUTES each,
so that translations are as long as they are in use; it is kept in WORK/checkpoints, and made once. Then each translates
test_2016_flickr in a process that stays, and they take turns. Timed is text in memory to text in memory, without
start-up. Prints two Markdown tables: whole test set, and one sentence at a time.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from cyclopts import run

from benchmarks.peers.corpus import bleu, detokenized, prepare, read_lines
from benchmarks.peers.options import Corpus, Systems, Threads, Work
from benchmarks.peers.systems import System, at_sizes, chosen, job, ready, start
from benchmarks.peers.turns import Driver
from benchmarks.timing import markdown_table

DEFAULT = "tutorial,joeynmt,opennmt,eole,eole-bf16,ours,ours-bf16,ours-int8,ours-export-int8"
GREEDY, BEAM = 1, 5
Turn = dict[str, Any]


def measure(
    work: Work,
    corpus: Corpus,
    systems: Systems = DEFAULT,
    rounds: int = 3,
    sentences: int = 1000,
    single_sentences: int = 100,
    threads: Threads = 1,
    train_minutes: float = 10.0,
    batches: str = "",
) -> None:
    """Train what is not trained yet, and print the tables.

    Parameters
    ----------
    rounds
        Turns of each system.
    sentences
        Sentences of the test set, its first ones, in each turn.
    single_sentences
        The same where they are translated one at a time.
    train_minutes
        Minutes that each toolkit trains, on one thread; 0 with models that are all there.
    batches
        Sentences of a batch to try, separated by commas, in place of each system's best; one at a time is left out.
    """
    work = work.resolve()
    text = prepare(work, corpus.resolve())
    named = chosen(systems.split(","))
    jobs = {}
    for name, system in named.items():
        checkpoint = trained(system.checkpoint or name, work, train_minutes)
        jobs[name] = job(name, system, work, threads, checkpoint=str(checkpoint))
    sizes = [int(size) for size in batches.split(",") if size]
    with ready(named, jobs, work) as drivers:
        for name, driver in drivers.items():
            asked(driver, named[name], text, 8, GREEDY, min(8, named[name].greedy_batch))
        if sizes:
            shared = {f"{name}-{size}": driver for name, driver in drivers.items() for size in sizes}
            print(whole(at_sizes(named, sizes), shared, text, sentences, rounds))
            return
        print(f"{whole(named, drivers, text, sentences, rounds)}\n")
        print(f"{singly(named, drivers, text, single_sentences, rounds)}\n\n{threads} thread(s); {rounds} turns.")


def trained(name: str, work: Path, minutes: float) -> Path:
    """The model that a system trained with the recipe that all share; made when it is not there."""
    path = work / "checkpoints" / name
    if not path.exists():
        system = chosen([name])[name]
        driver = start(system, job(name, system, work, 1, folder=str(work / "trainings" / name)), work)
        driver.answer()
        turn = driver.ask(seconds=60 * minutes, updates=1)
        print(
            f"{name}: {turn['updates']} updates, {turn['tokens']:,} target tokens in {turn['seconds']:.0f} s",
            flush=True,
        )
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        driver.ask(save=str(partial))
        driver.end()
        partial.rename(path)
    return path


def whole(
    systems: Mapping[str, System],
    drivers: Mapping[str, Driver],
    text: Path,
    sentences: int,
    rounds: int,
) -> str:
    """The table of the whole test set, greedy and with a beam, at each system's best batch."""
    turns: dict[tuple[str, int], list[Turn]] = {}
    for _ in range(rounds):
        for name, driver in drivers.items():
            for beam in widths(systems[name]):
                size = systems[name].greedy_batch if beam == GREEDY else systems[name].beam_batch
                turn = asked(driver, systems[name], text, sentences, beam, size)
                turns.setdefault((name, beam), []).append(turn)
    rows = []
    for name, system in systems.items():
        row = [system.label]
        for beam in (GREEDY, BEAM):
            row += speed_and_bleu(turns.get((name, beam), []), system, text, sentences)
        rows.append(row)
    header = ("toolkit", "greedy, sentences/s", "range", "BLEU", "beam 5, sentences/s", "range", "BLEU")
    return markdown_table(header, rows)


def singly(
    systems: Mapping[str, System], drivers: Mapping[str, Driver], text: Path, sentences: int, rounds: int
) -> str:
    """The table of one sentence at a time, greedy."""
    times: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, driver in drivers.items():
            turn = asked(driver, systems[name], text, sentences, GREEDY, 1)
            times[name].append(1000 * turn["seconds"] / sentences)
    rows = [
        (systems[name].label, f"{median(values):.1f}", f"{min(values):.1f} to {max(values):.1f}")
        for name, values in times.items()
    ]
    return markdown_table(("toolkit", "one at a time, greedy: ms a sentence", "range"), rows)


def widths(system: System) -> tuple[int, ...]:
    """Beam sizes of a system; one that takes only one sentence at a time has no beam search."""
    return (GREEDY,) if system.greedy_batch == 1 else (GREEDY, BEAM)


def asked(driver: Driver, system: System, text: Path, sentences: int, beam: int, batch: int) -> Turn:
    """One turn. Ours takes raw text, the others what we cut for them."""
    source = "test.src.raw" if system.module == "drive_ours" else "test.src"
    return driver.ask(lines=read_lines(text / source)[:sentences], beam=beam, batch=batch)


def speed_and_bleu(turns: list[Turn], system: System, text: Path, sentences: int) -> list[str]:
    """Three cells: median and range of the speed, BLEU of what came out."""
    if not turns:
        return ["", "", ""]
    speeds = [sentences / turn["seconds"] for turn in turns]
    lines = turns[-1]["lines"]
    translations = lines if system.module == "drive_ours" else detokenized(text, lines)
    return [
        f"{median(speeds):,.0f}" if median(speeds) > 20 else f"{median(speeds):.1f}",
        f"{min(speeds):,.0f} to {max(speeds):,.0f}",
        f"{bleu(text, 'test', translations):.1f}",
    ]


if __name__ == "__main__":
    run(measure)
