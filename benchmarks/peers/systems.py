"""Who takes part, and how each is started: which environment, which driver, which batch suits it best."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.peers.install import DONE, ENVIRONMENTS
from benchmarks.peers.turns import Driver, Job
from benchmarks.timing import CHECKOUT
from seq2seq.errors import ConfigError

EXPORT_INT8 = "export-int8"
"""Precision of what the model is exported as before it translates (`seq2seq.export`)."""


@dataclass(frozen=True)
class System:
    """One row of a table."""

    label: str
    module: str
    environment: str = ""
    """Name in `install.ENVIRONMENTS`; empty: this process' environment."""
    precision: str = "fp32"
    input_feeding: bool = False
    processes: int = 1
    """Processes that share each batch in training, no more than there are threads."""
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
    "joeynmt-feeding": System(
        "Joey NMT 2.3.0, input feeding", "drive_joeynmt", "joeynmt", input_feeding=True, batch=4000
    ),
    "opennmt": System("OpenNMT-py 3.5.1", "drive_opennmt", "opennmt", batch=2000),
    "opennmt-feeding": System(
        "OpenNMT-py 3.5.1, input feeding", "drive_opennmt", "opennmt", input_feeding=True, batch=2000
    ),
    "eole": System("eole 0.6.4", "drive_eole", "eole", batch=2000),
    "eole-bf16": System("eole 0.6.4, bf16", "drive_eole", "eole", precision="bf16", batch=2000, checkpoint="eole"),
    "ours": System("this project", "drive_ours", batch=2000, checkpoint="ours-bf16"),
    "ours-feeding": System("this project, input feeding", "drive_ours", input_feeding=True, batch=2000),
    "ours-bf16": System("this project, bf16", "drive_ours", precision="bf16", batch=2000),
    "ours-processes": System("this project, a process a core", "drive_ours", processes=64, batch=2000),
    "ours-bf16-processes": System(
        "this project, bf16, a process a core", "drive_ours", precision="bf16", processes=64, batch=2000
    ),
    "ours-int8": System("this project, int8", "drive_ours", precision="int8", checkpoint="ours-bf16"),
    "ours-export-int8": System(
        "this project, int8 export in onnxruntime", "drive_ours", precision=EXPORT_INT8, checkpoint="ours-bf16"
    ),
    "limit": System("matrix products alone", "drive_limit", batch=2000),
    "limit-bf16": System("matrix products alone, bf16", "drive_limit", precision="bf16", batch=2000),
}


def chosen(names: Sequence[str]) -> dict[str, System]:
    """Systems by name. Raises ConfigError for a name that is not known."""
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        raise ConfigError(f"no such system: {', '.join(unknown)}. There are: {', '.join(SYSTEMS)}")
    return {name: SYSTEMS[name] for name in names}


def at_sizes(systems: Mapping[str, System], sizes: Sequence[int]) -> dict[str, System]:
    """Each system once for each batch size, in training and in decoding; without sizes as it is."""
    if not sizes:
        return dict(systems)
    return {
        f"{name}-{size}": replace(
            system, label=f"{system.label}, batch {size}", batch=size, greedy_batch=size, beam_batch=size
        )
        for name, system in systems.items()
        for size in sizes
    }


def job(name: str, system: System, work: Path, threads: int, **more: Any) -> Job:
    """The job of training with a system, or of what `more` says."""
    asked = Job(
        name,
        text=str(work / "text"),
        folder=str(work / "systems" / name),
        batch=system.batch,
        threads=threads,
        processes=min(system.processes, threads),
        precision=system.precision,
        input_feeding=system.input_feeding,
    )
    return replace(asked, **more)


def start(system: System, asked: Job, work: Path) -> Driver:
    """Start a system's driver; it answers once when it is ready. Raises ConfigError without its environment."""
    python = Path(sys.executable)
    variables: Mapping[str, str] = {}
    if system.environment:
        folder = work / f"env-{system.environment}"
        if not (folder / DONE).exists():
            raise ConfigError(f"{folder} is not there or not complete: run python -m benchmarks.peers.install {work}")
        python, variables = folder / "bin" / "python", ENVIRONMENTS[system.environment].variables
    threads = {name: str(asked.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **variables, **threads, "PYTHONPATH": str(CHECKOUT)}
    return Driver([python, "-m", f"benchmarks.peers.{system.module}"], asked, environment)


@contextmanager
def ready(systems: Mapping[str, System], jobs: Mapping[str, Job], work: Path) -> Iterator[dict[str, Driver]]:
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
