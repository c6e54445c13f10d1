"""Commands measured in turn, so that what else the machine does meets all of them alike."""

import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Command:
    """What to start, where, and in which environment (None: this process')."""

    arguments: Sequence[str | Path]
    folder: Path = CHECKOUT
    environment: Mapping[str, str] | None = field(default=None, repr=False)

    def run(self) -> str:
        """Wait until it is done; gives its output. Raises RuntimeError when it fails."""
        done = subprocess.run(
            list(map(str, self.arguments)),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{self.arguments} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def seconds(self) -> float:
        """Wall time of one run."""
        started = time.perf_counter()
        self.run()
        return time.perf_counter() - started


def in_turn(commands: Mapping[str, Command], rounds: int) -> dict[str, float]:
    """Median wall time of each command, in seconds, after one round that is not counted."""
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            seconds = command.seconds()
            if number:
                walls[name].append(seconds)
    return {name: median(times) for name, times in walls.items()}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for LAB.md."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
