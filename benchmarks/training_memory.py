"""Peak memory of training with batches of 4,096 target tokens: this project and others.

    python -m benchmarks.peers.install WORK
    python -m benchmarks.training_memory WORK CORPUS

Each toolkit trains alone for some updates. The peak is the kernel's own count of resident memory (VmHWM), summed over
its process and the children of that. Prints a Markdown table.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from cyclopts import run

from benchmarks.peers.corpus import prepare
from benchmarks.peers.options import Corpus, Systems, Threads, Work
from benchmarks.peers.systems import System, chosen, job, start
from benchmarks.timing import markdown_table
from seq2seq.peak_memory import vm_hwm_kibibytes

DEFAULT = "tutorial,joeynmt,opennmt,eole,eole-bf16,ours,ours-bf16"
BATCH_TOKENS = 4096
TUTORIAL_SENTENCES = 280
"""4,096 target tokens at 14.4 tokens a sentence, end mark counted."""


def measure(
    work: Work,
    corpus: Corpus,
    systems: Systems = DEFAULT,
    updates: int = 60,
    seconds: float = 60.0,
    threads: Threads = 2,
) -> None:
    """Print the table.

    Parameters
    ----------
    updates
        Updates of each system, unless the time is up before.
    seconds
        Time of each system; 0: no limit.
    """
    work = work.resolve()
    prepare(work, corpus.resolve())
    rows = [peak(name, system, work, updates, seconds, threads) for name, system in chosen(systems.split(",")).items()]
    header = ("toolkit", "peak memory, MiB", "before the first turn, MiB", "updates", "tokens an update")
    print(markdown_table(header, rows))


def peak(name: str, system: System, work: Path, updates: int, seconds: float, threads: int) -> tuple[str, ...]:
    """One row, from a training of its own."""
    size = TUTORIAL_SENTENCES if name == "tutorial" else BATCH_TOKENS
    driver = start(system, job(name, system, work, threads, batch=size), work)
    driver.answer()
    before, done, tokens = peak_mebibytes(driver.process.pid), 0, 0
    deadline = time.monotonic() + (seconds or float("inf"))
    while done < updates and time.monotonic() < deadline:
        turn = driver.ask(seconds=0.0, updates=1)
        done, tokens = done + turn["updates"], tokens + turn["tokens"]
    row = (
        system.label,
        f"{peak_mebibytes(driver.process.pid):,.0f}",
        f"{before:,.0f}",
        f"{done}",
        f"{tokens / done:,.0f}",
    )
    driver.end()
    return row


def peak_mebibytes(process: int) -> float:
    """Sum of the peaks of a process and its living descendants, from /proc."""
    peaks = (vm_hwm_kibibytes(Path(f"/proc/{one}/status").read_text(encoding="utf-8")) for one in family(process))
    return sum(peaks) / 1024


def family(process: int) -> Iterator[int]:
    """The process and its living descendants."""
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text(encoding="utf-8").split():
            yield from family(int(child))


if __name__ == "__main__":
    run(measure)
