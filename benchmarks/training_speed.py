"""Target tokens a second in training: this project, other toolkits, the tutorial loop, and the matrix products alone.

    python -m benchmarks.peers.install WORK
    python -m benchmarks.training_speed WORK CORPUS

All learn the same sentences in the same subwords with the same model where they can. Each toolkit runs its own training
loop in a process that stays, and they take turns. Counted are the real target tokens (end mark counted, padding not) of
the batches that went into the model, by our own count. Prints a Markdown table.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import median

from cyclopts import run

from benchmarks.peers.corpus import prepare
from benchmarks.peers.options import Corpus, Systems, Threads, Work
from benchmarks.peers.systems import System, at_sizes, chosen, job, ready
from benchmarks.timing import markdown_table

DEFAULT = (
    "tutorial,joeynmt,joeynmt-feeding,opennmt,opennmt-feeding,eole,ours,ours-feeding,eole-bf16,ours-bf16,"
    "limit,limit-bf16"
)
WARM_UP_SECONDS = 4.0
MEGAFLOP_PER_TOKEN = 45


def measure(
    work: Work,
    corpus: Corpus,
    systems: Systems = DEFAULT,
    rounds: int = 3,
    seconds: float = 20.0,
    updates: int = 3,
    threads: Threads = 1,
    batches: str = "",
) -> None:
    """Print the table.

    Parameters
    ----------
    rounds
        Turns of each system after the warm-up.
    seconds
        Length of a turn: it ends with the first update after that.
    updates
        Updates that a turn has at least.
    batches
        Batch sizes to try, separated by commas, in place of each system's best.
    """
    work = work.resolve()
    prepare(work, corpus.resolve())
    named = at_sizes(chosen(systems.split(",")), [int(size) for size in batches.split(",") if size])
    print(measured(named, work, rounds, seconds, updates, threads))


def measured(systems: Mapping[str, System], work: Path, rounds: int, seconds: float, updates: int, threads: int) -> str:
    """The table, from turns of these systems."""
    jobs = {name: job(name, system, work, threads) for name, system in systems.items()}
    speeds: dict[str, list[float]] = {name: [] for name in systems}
    done = {name: [0, 0] for name in systems}
    with ready(dict(systems), jobs, work) as drivers:
        for driver in drivers.values():
            driver.ask(seconds=WARM_UP_SECONDS, updates=1)
        for _ in range(rounds):
            for name, driver in drivers.items():
                turn = driver.ask(seconds=seconds, updates=updates)
                speeds[name].append(turn["tokens"] / turn["seconds"])
                done[name] = [done[name][0] + turn["updates"], done[name][1] + turn["tokens"]]
    medians = {name: median(values) for name, values in speeds.items()}
    rows = [
        (
            system.label,
            f"{done[name][1] / done[name][0]:,.0f}",
            done[name][0],
            f"{medians[name]:,.0f}",
            f"{min(speeds[name]):,.0f} to {max(speeds[name]):,.0f}",
            share(medians, name, system),
        )
        for name, system in systems.items()
    ]
    header = ("toolkit", "tokens an update", "updates", "target tokens/s, median", "range", "of the limit")
    return markdown_table(header, rows) + f"\n\n{threads} thread(s); {rounds} turns of {seconds:g} s each, in turn."


def share(medians: Mapping[str, float], name: str, system: System) -> str:
    """How much of the rate of the matrix products alone a system reaches; of the limits themselves, that rate."""
    if name.startswith("limit"):
        return f"{medians[name] * MEGAFLOP_PER_TOKEN / 1000:,.0f} GFLOP/s"
    limit = medians.get("limit-bf16" if system.precision == "bf16" else "limit")
    return f"{medians[name] / limit:.0%}" if limit else ""


if __name__ == "__main__":
    run(measure)
