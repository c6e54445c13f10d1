"""What orchestration costs: a training through the flow, beside the same pure functions in a plain script.

    python -m benchmarks.overhead [--steps 12000]

Both run the demo's chain at once, with one thread, each pinned to a core of its own; then once more with the cores
swapped. So whatever else the machine does meets both. The flow reports to a running server; its wall time holds the
import of Prefect, the progress shown while training, and the model folder. The server is pinned nowhere: on
two cores it takes its time from both sides. The aim: at most 2 % on a training of ten minutes, which 12,000 steps
take on a core that does 20 of them a second.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cyclopts import App

from benchmarks.plain import do_all
from benchmarks.prefect_server import prefect_server
from benchmarks.timing import CHECKOUT, markdown_table
from seq2seq.config import load_config
from seq2seq.pipeline import STEPS
from seq2seq.storage.artifacts import Workspace

SETTINGS = ("training.max_epochs=0", "training.patience=1000", "runtime.threads=1")
app = App(help="Measure what orchestration costs.")


@dataclass(frozen=True)
class Run:
    """One of the two ways to train, on one core."""

    way: str
    core: int
    wall_seconds: float
    milliseconds_an_update: float


@app.default
def measure(steps: int = 12_000) -> None:
    """Train both ways at once, twice with the cores swapped, and print the walls and the overhead.

    Parameters
    ----------
    steps
        Updates of each training.
    """
    cores = sorted(os.sched_getaffinity(0))[-2:]
    if len(cores) < 2:
        raise SystemExit("two cores are needed: one for each of the two trainings that run at once")
    settings = [word for setting in (*SETTINGS, f"training.max_steps={steps}") for word in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder, "prefect")) as environment:
        runs = [run for order in (cores, cores[::-1]) for run in _both(order, settings, Path(folder), environment)]
    rows = [(run.way, run.core, f"{run.wall_seconds:.1f}", f"{run.milliseconds_an_update:.2f}") for run in runs]
    print(markdown_table(("way", "core", "wall, s", "training, ms an update"), rows))
    walls = {way: sum(run.wall_seconds for run in runs if run.way == way) for way in ("flow", "plain")}
    more = walls["flow"] - walls["plain"]
    print(f"\noverhead {100 * more / walls['plain']:.2f} %: {more / 2:.1f} s of {walls['plain'] / 2:.1f} s")


@app.command
def plain(workspace: Path, *settings: str) -> None:
    """Train by calling the steps' pure functions in order: what `measure` compares the flow with."""
    do_all(STEPS, load_config("demo", settings), Workspace(workspace))


def _both(cores: Sequence[int], settings: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[Run]:
    workspaces = {way: Path(tempfile.mkdtemp(dir=folder, prefix=way)) for way in ("flow", "plain")}
    commands = {
        "flow": ["-m", "flows", "train", "demo", *settings, "--workspace", str(workspaces["flow"])],
        "plain": ["-m", "benchmarks.overhead", "plain", str(workspaces["plain"]), *settings[1::2]],
    }
    with ThreadPoolExecutor(len(commands)) as pool:
        walls = dict(
            zip(commands, pool.map(_pinned, commands.values(), cores, [environment] * len(commands)), strict=True)
        )
    return [
        Run(way, core, walls[way], _update_milliseconds(workspaces[way]))
        for way, core in zip(commands, cores, strict=True)
    ]


def _pinned(arguments: Sequence[str], core: int, environment: Mapping[str, str]) -> float:
    """Wall time of a Python process on one core, in seconds."""
    started = time.perf_counter()
    subprocess.run(
        ["taskset", "--cpu-list", str(core), sys.executable, *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def _update_milliseconds(workspace: Path) -> float:
    """Time of an update within the training, validations included."""
    (history,) = workspace.glob("artifacts/train/*/log/history.json")
    last = json.loads(history.read_text(encoding="utf-8"))[-1]
    return 1000 * float(last["seconds"]) / int(last["step"])


if __name__ == "__main__":
    app()
