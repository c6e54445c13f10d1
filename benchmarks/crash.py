"""`kill -9` at random moments of the whole chain, then the same command again.

    python -m benchmarks.crash [--kills 30] [--seed 1] [--jobs 1] [--temporary-servers]

Trains on a part of the demo corpus once without interruption; then, for each kill, starts the same command in a new
workspace, kills it at a random moment of a random step, looks for what it left (processes, locks), and starts it again.
Prints what came of each kill and a summary; ends with code 1 unless every run finished with the model of the
uninterrupted run, bit for bit, and nothing had to be cleaned up.

All steps get the same share of the kills, and so does the delivery of the model folder and the report. The commands
use one Prefect server that the benchmark starts, or, with --temporary-servers, one each of their own. Linux only.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from cyclopts import run

from benchmarks.prefect_server import SILENT, prefect_server
from benchmarks.timing import CHECKOUT, markdown_table
from seq2seq.pipeline import STEPS
from seq2seq.storage.artifacts import file_sha256
from seq2seq.storage.flock import is_held

SETTINGS = (
    "corpus.train_pairs=4000",
    "corpus.valid_pairs=100",
    "corpus.test_pairs=100",
    "training.max_steps=200",
    "training.max_epochs=0",
    "runtime.threads=1",
    "runtime.checkpoint_every_seconds=0.5",
)
SHORT_DEMO = ("demo", *(word for setting in SETTINGS for word in ("--set", setting)))
DELIVERY = "delivery"
STAGES = (*STEPS, DELIVERY)
SECONDS_TO_VANISH = 30.0
MARK = "SEQ2SEQ_CRASH_RUN"
STEP_LINE = re.compile(r"(\w+) +(done|cached) +([\d.]+) s")


@dataclass(frozen=True)
class StepSeen:
    """A step's line: when it came, in seconds since the command's start, and what it says."""

    at: float
    done: bool
    seconds: float


class ChainRun:
    """One `python -m flows train …`, from its start to its end or its death; follows the lines of its steps."""

    def __init__(self, arguments: Sequence[str], workspace: Path, environment: Mapping[str, str]) -> None:
        self.seen: dict[str, StepSeen] = {}
        self.errors: list[str] = []
        self._mark = str(uuid.uuid4())
        self._news = threading.Condition()
        self._silent = False
        self._started = time.monotonic()
        self.seconds = 0.0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flows", "train", *arguments, "--workspace", str(workspace)],
            cwd=CHECKOUT,
            env={**environment, MARK: self._mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def done(self) -> list[str]:
        """Steps that were executed, in order."""
        return [name for name, step in self.seen.items() if step.done]

    def finish(self) -> None:
        """Wait for the end. RuntimeError when the command fails."""
        code = self.process.wait()
        self.seconds = time.monotonic() - self._started
        self._reader.join()
        if code:
            raise RuntimeError(f"the command ended with code {code}:\n{''.join(self.errors)}")

    def kill(self, stage: str, seconds: float) -> bool:
        """Kill so many seconds after the stage before this one ended; False when the command had ended by then."""
        before = STAGES[STAGES.index(stage) - 1] if stage != STAGES[0] else ""
        with self._news:
            self._news.wait_for(lambda: not before or before in self.seen or self._silent)
        after = self.seen[before].at if before in self.seen else 0.0
        time.sleep(max(0.0, self._started + after + seconds - time.monotonic()))
        ended = self.process.poll() is not None
        self.process.kill()
        self.process.wait()
        self.seconds = time.monotonic() - self._started
        self._reader.join()
        return not ended

    def processes_left(self) -> list[int]:
        """Ids of the processes that this run started and that have not ended some time after it."""
        deadline = time.monotonic() + SECONDS_TO_VANISH
        while (left := list(self._processes())) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def _processes(self) -> Iterator[int]:
        mark = f"{MARK}={self._mark}".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    yield int(path.parent.name)
            except OSError:  # ended meanwhile, or not ours to read
                continue

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.errors.append(line)
                if found := STEP_LINE.match(line):
                    at = time.monotonic() - self._started
                    with self._news:
                        self.seen[found[1]] = StepSeen(at, found[2] == "done", float(found[3]))
                        self._news.notify_all()
        with self._news:
            self._silent = True
            self._news.notify_all()


def spans(reference: ChainRun) -> dict[str, tuple[float, float]]:
    """When each stage of a finished run began and ended, in seconds since the end of the stage before it.

    Of the first, the time before it is left out: nothing but imports happens there.
    """
    times = [step.at for step in reference.seen.values()] + [reference.seconds]
    first = reference.seen[STAGES[0]]
    gaps = [(0.0, after - before) for before, after in pairwise(times)]
    return dict(zip(STAGES, [(first.at - first.seconds, first.at), *gaps], strict=True))


@dataclass
class Trial:
    """What came of one kill."""

    workspace: Path
    seconds: float = 0.0
    killed: str = ""
    again: list[str] = field(default_factory=list)
    resumed_at: int = 0
    finished: bool = False
    identical: bool = False
    left: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether all that the project promises of a killed run held."""
        return self.finished and self.identical and not self.left and set(self.again) <= {self.killed}

    def row(self) -> tuple[object, ...]:
        """The trial as a line of the table."""
        again, left = (", ".join(names) or "none" for names in (self.again, self.left))
        answers = ("yes" if answer else "NO" for answer in (self.finished, self.identical))
        return f"{self.seconds:.1f} s", self.killed, again, self.resumed_at or "", *answers, left


HEADER = ("killed after", "in step", "steps done again", "resumed at training step", "finished", "identical", "left")


@dataclass(frozen=True)
class Bench:
    """What all trials share: the command, its environment, and what came of a run that was not interrupted."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    spans: Mapping[str, tuple[float, float]]
    model: str

    def trial(self, stage: str, folder: Path, draw: random.Random) -> Trial:
        """Kill a run in a new workspace in this stage, start it again, and compare."""
        environment = apart(self.environment, folder)
        trial, first = self._kill(stage, folder, environment, draw)
        trial.left = [f"process {number}" for number in first.processes_left()]
        trial.left += [f"lock {path.relative_to(folder)}" for path in folder.rglob("*.lock") if is_held(path)]
        recorded = {path.parent.name for path in trial.workspace.glob("index/*/*.json")}
        trial.killed = next((name for name in STEPS if name not in recorded), DELIVERY)
        trial.resumed_at = checkpointed_step(trial.workspace) if trial.killed == "train" else 0
        second = ChainRun(self.arguments, trial.workspace, environment)
        try:
            second.finish()
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return trial
        trial.finished = True
        trial.again = [name for name in second.done if name in recorded or name == trial.killed]
        trial.identical = weights(trial.workspace) == self.model
        trial.left += [str(path.relative_to(folder)) for path in trial.workspace.rglob("*.partial")]
        return trial

    def _kill(
        self, stage: str, folder: Path, environment: Mapping[str, str], draw: random.Random
    ) -> tuple[Trial, ChainRun]:
        """A killed run. One that was faster than the reference may end before its kill, and does not count."""
        for attempt in range(100):
            running = ChainRun(self.arguments, folder / f"workspace-{attempt}", environment)
            if running.kill(stage, draw.uniform(*self.spans[stage])):
                return Trial(folder / f"workspace-{attempt}", running.seconds), running
        raise RuntimeError(f"every run ended before its kill in {stage}")


def apart(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """An environment in which a training waits for no other one of this machine: their lock lies in TMPDIR."""
    return {**environment, "TMPDIR": str(folder)}


def weights(workspace: Path) -> str:
    """SHA-256 of the weights that were delivered."""
    (model,) = workspace.glob("models/*/*/model.safetensors")
    return file_sha256(model)


def checkpointed_step(workspace: Path) -> int:
    """Step of the training that is not finished; 0 without a checkpoint."""
    from seq2seq.training.checkpoint import load_checkpoint  # takes seconds: imports PyTorch

    states = [load_checkpoint(folder) for folder in workspace.glob("checkpoints/*")]
    return max((state["position"]["step"] for state in states if state), default=0)


def benchmark(kills: int = 30, seed: int = 1, jobs: int = 1, *, temporary_servers: bool = False) -> None:
    """Kill the chain `kills` times, `jobs` side by side, and print what came of it."""
    with tempfile.TemporaryDirectory() as name, server(Path(name, "prefect"), temporary_servers) as environment:
        work = Path(name)
        for folder in ("warm-up", "reference"):  # the first run after a change is slower: its kills would come late
            reference = ChainRun(SHORT_DEMO, work / folder, apart(environment, work))
            reference.finish()
        bench = Bench(SHORT_DEMO, environment, spans(reference), weights(work / "reference"))
        print(f"not interrupted: {reference.seconds:.1f} s; seed {seed}", file=sys.stderr)
        draw = random.Random(seed)
        stages = [stage for _ in range(0, kills, len(STAGES)) for stage in draw.sample(STAGES, len(STAGES))][:kills]

        def one(number: int, stage: str) -> Trial:
            folder = work / f"trial-{number}"
            folder.mkdir()
            trial = bench.trial(stage, folder, random.Random(f"{seed} {number}"))
            print(*trial.row(), sep="  ", file=sys.stderr, flush=True)
            return trial

        with ThreadPoolExecutor(jobs) as pool:
            trials = list(pool.map(one, range(kills), stages))
    print(markdown_table(HEADER, [trial.row() for trial in trials]))
    finished, identical = sum(trial.finished for trial in trials), sum(trial.identical for trial in trials)
    cleaned = sum(bool(trial.left) for trial in trials)
    print(f"\n{kills} kills: {finished} finished, {identical} identical, {cleaned} clean-ups")
    sys.exit(0 if all(trial.good for trial in trials) else 1)


@contextmanager
def server(home: Path, temporary: bool) -> Iterator[dict[str, str]]:
    """The environment of commands that use one server, or one each of their own."""
    if temporary:
        others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        yield others | SILENT | {"PREFECT_HOME": str(home)}
    else:
        with prefect_server(home) as environment:
            yield environment


if __name__ == "__main__":
    run(benchmark)
