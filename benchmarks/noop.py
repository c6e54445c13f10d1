"""A run that has nothing to do, against a running server, beside the import of Prefect alone.

    python -m benchmarks.noop [--rounds 5]

Starts a server, trains a small model once, then measures `python -m flows train` on it in turn with
`python -c "from prefect import flow, task"` and `python -m flows plan`. The aim: at most 1.5 times the import.
"""

import json
import sys
import tempfile
from pathlib import Path

from cyclopts import run

from benchmarks.prefect_server import prefect_server
from benchmarks.timing import Command, in_turn, markdown_table

SMALL = ("corpus.train_pairs=2000", "training.max_steps=20", "evaluation.bootstrap_samples=100")
IMPORT = "import of Prefect"


def measure(rounds: int = 5) -> None:
    """Print the medians and the ratio."""
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder, "prefect")) as environment:
        settings = [word for setting in SMALL for word in ("--set", setting)]
        chosen = ["demo", *settings, "--workspace", f"{folder}/workspace"]
        train = Command([sys.executable, "-m", "flows", "train", *chosen], environment=environment)
        train.run()
        report = json.loads(Path(train.run().splitlines()[-1].removeprefix("report: ")).read_text(encoding="utf-8"))
        assert all(step["cached"] for step in report["steps"]), "the second run has nothing to do"
        plan = [sys.executable, "-m", "flows", "plan", *chosen]
        imports = [sys.executable, "-c", "from prefect import flow, task"]
        medians = in_turn({"train": train, "plan": Command(plan), IMPORT: Command(imports)}, rounds)
    rows = [(name, f"{seconds:.2f}", f"{seconds / medians[IMPORT]:.2f}") for name, seconds in medians.items()]
    print(markdown_table((f"nothing to do, median of {rounds}", "seconds", "times the import"), rows))


if __name__ == "__main__":
    run(measure)
