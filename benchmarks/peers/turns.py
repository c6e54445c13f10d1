"""How a measuring process and the toolkits that it measures take turns.

A driver is a process that stays: it starts its toolkit once, and then works only while it has the turn. So start-up
is never in a measurement, and what else the machine does meets all toolkits alike. One JSON object a line goes each
way. This module needs nothing but the standard library: it runs in every toolkit's environment.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """What a driver is started with."""

    system: str
    """Name in `systems.SYSTEMS`."""
    text: str
    """Folder that `corpus.prepare` made."""
    folder: str
    """Folder of this toolkit's own files."""
    batch: int = 1000
    """Target tokens of a batch in training, as the toolkit counts them (the tutorial loop: sentences)."""
    threads: int = 1
    processes: int = 1
    """Processes that share these threads in training; only this project has them."""
    precision: str = "fp32"
    input_feeding: bool = False
    recipe: str = "same"
    """same: the model and optimizer that all share; own: what the toolkit's users would start from."""
    minutes: float = 0.0
    """Length of the training, for recipes whose schedule needs it."""
    checkpoint: str = ""
    """Translate with this; empty: train."""


class Driver:
    """A driver as the measuring process sees it."""

    def __init__(self, command: Sequence[str | Path], job: Job, environment: dict[str, str]) -> None:
        Path(job.folder).mkdir(parents=True, exist_ok=True)
        self.log = Path(job.folder) / f"{'translate' if job.checkpoint else 'train'}.log"
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*map(str, command), json.dumps(asdict(job))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                cwd=job.folder,
            )
        # As many cores as threads: what a toolkit prepares in threads of its own is part of what it costs.
        os.sched_setaffinity(self.process.pid, set(sorted(os.sched_getaffinity(0))[: job.threads]))

    def answer(self) -> dict[str, Any]:
        """Wait for the driver's next line. Raises RuntimeError when the driver ended instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.end()
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"The driver ended with code {self.process.returncode}; the end of {self.log}:\n{tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give the driver a turn and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self) -> None:
        """Ask the driver to end, and wait for that."""
        self.process.communicate()


class Turns:
    """The driver's end. What the toolkit prints goes to the log, away from the answers."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        os.dup2(2, 1)

    def next(self) -> dict[str, Any]:
        """The next command; the process ends when there is none, whatever the toolkit still has running."""
        line = sys.stdin.readline()
        if not line:
            sys.stdout.flush()
            os._exit(0)
        command: dict[str, Any] = json.loads(line)
        return command

    def answer(self, **values: Any) -> None:
        """One line back."""
        self._answers.write(json.dumps(values, ensure_ascii=False) + "\n")
        self._answers.flush()


class TrainingTurns(Turns):
    """Lets a training run for one turn, and stops it between two updates.

    The driver says `count(tokens)` for each batch that goes into the model, with the real target tokens (end mark
    counted, padding not), and has `updated` called after each step of the optimizer. The first update, which is slow,
    belongs to the start.
    """

    def __init__(self, save: Callable[[Path], None]) -> None:
        super().__init__()
        self._save = save
        self._waiting, self._updates, self._tokens = 0, 0, 0
        self._started = self._seconds = 0.0
        self._at_least = 0
        self._running = False

    def count(self, tokens: int) -> None:
        """A batch of that many real target tokens is being learned from."""
        self._waiting += tokens

    def updated(self, *_: object) -> None:
        """The weights were updated; returns when the training may go on."""
        tokens, self._waiting = self._waiting, 0
        if self._running:
            self._updates += 1
            self._tokens += tokens
            seconds = time.perf_counter() - self._started
            if seconds < self._seconds or self._updates < self._at_least:
                return
            self.answer(updates=self._updates, tokens=self._tokens, seconds=seconds)
        else:
            self.answer(ready=True)
        self._wait()

    def finished(self) -> None:
        """The training came to its end: the turn does, too; what follows can only be to save."""
        self.answer(updates=self._updates, tokens=self._tokens, seconds=time.perf_counter() - self._started)
        self._save_when_asked()

    def _save_when_asked(self) -> dict[str, Any]:
        command = self.next()
        while "save" in command:
            self._save(Path(command["save"]))
            self.answer(saved=command["save"])
            command = self.next()
        return command

    def _wait(self) -> None:
        command = self._save_when_asked()
        self._running, self._updates, self._tokens = True, 0, 0
        self._seconds, self._at_least = command["seconds"], command["updates"]
        self._started = time.perf_counter()

    def watch_optimizers(self) -> None:
        """Have `updated` called after each step of whatever optimizer of PyTorch the toolkit makes."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        register_optimizer_step_post_hook(self.updated)


def serve(turns: Turns, translate: Callable[[list[str], int, int], list[str]]) -> None:
    """Answer requests for translations by `translate(lines, beam, batch)`, timed from text to text in memory."""
    turns.answer(ready=True)
    while True:
        command = turns.next()
        started = time.perf_counter()
        lines = translate(command["lines"], command["beam"], command["batch"])
        turns.answer(seconds=time.perf_counter() - started, lines=lines)


def read_job() -> Job:
    """The job in the command line."""
    return Job(**json.loads(sys.argv[1]))
