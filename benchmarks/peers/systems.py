"""Who takes part, and how each is started: which environment, which driver, which batch suits it best."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.peers.install import DONE, ENVIRONMENTS
from benchmarks.peers.turns import Driver, Job
from benchmarks.timing import CHECKOUT
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class System:
    """One row of a table."""

    label: str
    module: str
    environment: str = ""
    """Name in `install.ENVIRONMENTS`; empty: this process' environment."""
    precision: str = "fp32"
    input_feeding: bool = False
    batch: int = 1000
    """Fastest training batch, of those tried with `training_speed --batches`."""
    checkpoint: str = ""
    """System whose trained model is decoded; empty: its own."""
    greedy_batch: int = 64
    """Fastest batches in decoding, of those tried with `decoding_speed --batches`."""
    beam_batch: int = 64


SYSTEMS = {
    "tutorial": System("tutorial loop", "drive_tutorial", batch=128, greedy_batch=1),
    "joeynmt": System("Joey NMT 2.3.0", "drive_joeynmt", "joeynmt", batch=4000),
    "joeynmt-feeding": System("Joey NMT 2.3.0, input feeding", "drive_joeynmt", "joeynmt", "fp32", True, 4000),
    "opennmt": System("OpenNMT-py 3.5.1", "drive_opennmt", "opennmt", batch=2000),
    "opennmt-feeding": System("OpenNMT-py 3.5.1, input feeding", "drive_opennmt", "opennmt", "fp32", True, 2000),
    "eole": System("eole 0.6.4", "drive_eole", "eole", batch=2000),
    "eole-bf16": System("eole 0.6.4, bf16", "drive_eole", "eole", "bf16", batch=2000, checkpoint="eole"),
    "ours": System("this project", "drive_ours", batch=2000),
    "ours-feeding": System("this project, input feeding", "drive_ours", input_feeding=True, batch=2000),
    "ours-bf16": System("this project, bf16", "drive_ours", precision="bf16", batch=2000, checkpoint="ours"),
    "ours-int8": System("this project, int8", "drive_ours", precision="int8", checkpoint="ours"),
    "limit": System("matrix products alone", "drive_limit", batch=2000),
    "limit-bf16": System("matrix products alone, bf16", "drive_limit", precision="bf16", batch=2000),
}


def chosen(names: Sequence[str]) -> dict[str, System]:
    """Systems by name. Raises ConfigError for a name that is not known."""
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        raise ConfigError(f"no such system: {', '.join(unknown)}. There are: {', '.join(SYSTEMS)}")
    return {name: SYSTEMS[name] for name in names}


def job(name: str, system: System, work: Path, threads: int, **more: Any) -> Job:
    """The job of training with a system, or of what `more` says."""
    asked = Job(
        name,
        str(work / "text"),
        str(work / "systems" / name),
        system.batch,
        threads,
        system.precision,
        system.input_feeding,
    )
    return replace(asked, **more)


def start(system: System, asked: Job, work: Path) -> Driver:
    """Start a system's driver; it answers once when it is ready. Raises ConfigError without its environment."""
    python, variables = Path(sys.executable), {}
    if system.environment:
        folder = work / f"env-{system.environment}"
        if not (folder / DONE).exists():
            raise ConfigError(f"{folder} is not there or not complete: run python -m benchmarks.peers.install {work}")
        python, variables = folder / "bin" / "python", ENVIRONMENTS[system.environment].variables
    threads = {name: str(asked.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **variables, **threads, "PYTHONPATH": str(CHECKOUT)}
    return Driver([python, "-m", f"benchmarks.peers.{system.module}"], asked, environment)


@contextmanager
def ready(systems: dict[str, System], jobs: dict[str, Job], work: Path) -> Iterator[dict[str, Driver]]:
    """Drivers of all these jobs, started side by side; they are ended in the end, too."""
    drivers: dict[str, Driver] = {}
    try:
        for name, asked in jobs.items():
            drivers[name] = start(systems[name], asked, work)
        for driver in drivers.values():
            driver.answer()
        yield drivers
    finally:
        for driver in drivers.values():
            driver.end()
