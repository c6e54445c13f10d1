"""`kill -9`, then the same command again: it finishes, and the model is that of a run that was never interrupted."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.crash import STAGES, ChainRun, apart, is_held, spans, weights
from seq2seq.config import Config
from seq2seq.storage.artifacts import Workspace
from seq2seq.training.checkpoint import load_checkpoint

CHECKOUT = Path(__file__).parents[2]
SETTINGS = ("training.max_steps=0", "training.max_epochs=20", "training.patience=1000", "training.seed=7")
FAST_TALK = ("runtime.checkpoint_every_seconds=0", "runtime.log_every_seconds=0.001")
PATIENCE = 300.0


@pytest.fixture
def environment(prefect_server: str, tmp_path: Path) -> dict[str, str]:
    """Environment of commands that use the session's server, and wait for no other training of this machine."""
    return apart(os.environ, tmp_path) | {"PREFECT_API_URL": prefect_server, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def command(tiny_project: Path) -> list[str]:
    """A training long enough to be killed in."""
    return [str(tiny_project / "tiny.toml"), *(word for setting in SETTINGS + FAST_TALK for word in ("--set", setting))]


def recorded(workspace: Path) -> dict[str, int]:
    """Steps with a record, by their index file; the number changes when a step is done and recorded again."""
    return {f"{path.parent.name} {path.stem}": path.stat().st_ino for path in workspace.glob("index/*/*.json")}


def test_killed_at_random_moments_a_chain_comes_to_the_model_of_a_run_never_interrupted(
    environment: dict[str, str], command: list[str], tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    reference = ChainRun(command, tmp_path / "reference", environment)
    reference.finish()
    stages = {"train", *draw.sample([stage for stage in STAGES if stage != "train"], 3)}
    workspace = tmp_path / "workspace"
    before: dict[str, int] = {}
    killed_in = set()

    for stage in sorted(stages, key=STAGES.index):
        moment = draw.uniform(*spans(reference)[stage])
        print(f"kill {moment:.2f} s into {stage}")
        killed = ChainRun(command, workspace, environment)
        if killed.kill(stage, moment):
            killed_in.add(stage)
        assert killed.processes_left() == []
        assert [path for path in workspace.rglob("*.lock") if is_held(path)] == []
        assert before.items() <= recorded(workspace).items()
        before = recorded(workspace)
    last = ChainRun(command, workspace, environment)
    last.finish()

    assert killed_in
    assert before.items() <= recorded(workspace).items()
    assert weights(workspace) == weights(tmp_path / "reference")
    assert list(workspace.rglob("*.partial")) == []
    assert list((workspace / "checkpoints").glob("*")) == []


MOMENTS = {
    "half of a checkpoint is written, over a whole one": """
        import torch
        whole, calls = torch.save, []
        def save(state, file):
            calls.append(file)
            if len(calls) > 5:
                file.write(b"PK")
                file.flush()
                die()
            whole(state, file)
        torch.save = save
    """,
    "an artifact is written, but not yet in its place": """
        from seq2seq.storage.artifacts import Workspace
        Workspace._settle = die
    """,
    "an artifact is in its place, but not yet recorded": """
        import tasks.index_storage
        tasks.index_storage.write_bytes_atomically = die
    """,
    "half of a record is written": """
        from pathlib import Path
        whole = Path.write_bytes
        def write_bytes(path, content):
            if "index" in path.parts:
                whole(path, content[: len(content) // 2])
                die()
            return whole(path, content)
        Path.write_bytes = write_bytes
    """,
    "a training is recorded, but its checkpoint still there": """
        import types
        import tasks.training
        tasks.training.shutil = types.SimpleNamespace(rmtree=die)
    """,
    "the old model folder is aside, and the new one not yet in its place": """
        from pathlib import Path
        whole = Path.rename
        def rename(path, target):
            if path.suffix == ".partial" and "models" in path.parts:
                die()
            return whole(path, target)
        Path.rename = rename
    """,
    "the new model folder is in its place, and the old one still aside": """
        from pathlib import Path
        whole = Path.rename
        def rename(path, target):
            whole(path, target)
            if path.suffix == ".partial" and "models" in path.parts:
                die()
        Path.rename = rename
    """,
    "the report is not yet written": """
        import seq2seq.workspace.report
        seq2seq.workspace.report.write_text_atomically = die
    """,
}
PROGRAM = """
import os, signal, sys

def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

{moment}

from flows.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_killed_at_each_hard_moment_in_turn_a_run_comes_to_the_model_of_one_never_interrupted(
    environment: dict[str, str],
    command: list[str],
    first: tuple[Path, dict[str, Any]],
    tiny_config: Callable[..., Config],
    tmp_path: Path,
) -> None:
    from flows.train_translator import train_translator

    workspace = Path(shutil.copytree(first[0], tmp_path / "workspace"))  # with an older model in the model folder
    reference = json.loads(Path(train_translator(tiny_config(*SETTINGS), str(tmp_path / "reference"))).read_text())

    for name, moment in MOMENTS.items():
        before = recorded(workspace)
        done = start(moment, command, workspace, environment)
        assert done.returncode == -9, f"{name}: {done.stderr}"
        assert before.items() <= recorded(workspace).items(), name
        if "half of a checkpoint" in name:
            (folder,) = (workspace / "checkpoints").iterdir()
            state = load_checkpoint(folder)
            assert state is not None
            checkpointed = state["position"]["step"]
        elif "artifact is written" in name:
            assert min(map(int, re.findall(r"^train +step (\d+)/", done.stderr, re.MULTILINE))) > checkpointed
    last = start("", command, workspace, environment)

    assert last.returncode == 0, last.stderr
    assert re.findall(r"^\w+ +done", last.stderr, re.MULTILINE) == []
    report = json.loads(Path(last.stdout.splitlines()[-1].removeprefix("report: ")).read_text(encoding="utf-8"))
    assert report["scores"] == reference["scores"]
    assert weights(workspace) == weights(tmp_path / "reference")
    assert [path.name for path in (workspace / "models" / "de-en").iterdir()] == ["tiny"]
    assert list((workspace / "checkpoints").iterdir()) == []
    assert list((workspace / "artifacts").rglob("*.partial")) == []


def start(
    moment: str, command: list[str], workspace: Path, environment: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.format(moment="\n".join(line.removeprefix(" " * 8) for line in moment.splitlines()))
    return subprocess.run(
        [sys.executable, "-c", program, "train", *command, "--workspace", str(workspace)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("content", ["", "{", '{"metadata": {}}', '{"result": "{}"}', "null", "\x00\x00"])
def test_a_damaged_index_file_is_a_miss_for_whoever_reads_it_without_prefect(content: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.index_file("clean", "k").parent.mkdir(parents=True)
    workspace.index_file("clean", "k").write_text(content, encoding="utf-8")

    assert workspace.find("clean", "k") is None
    assert list(workspace.records("clean")) == []


@pytest.mark.parametrize("content", ["", "{", '{"metadata": {}}', "\x00\x00"])
def test_a_damaged_index_file_is_a_miss_for_prefect_and_is_replaced(
    content: str, first: tuple[Path, dict[str, Any]], tiny_config: Callable[..., Config], tmp_path: Path
) -> None:
    from flows.train_translator import train_translator

    workspace = Path(shutil.copytree(first[0], tmp_path / "workspace"))
    (index_file,) = (workspace / "index" / "clean").iterdir()
    index_file.write_text(content, encoding="utf-8")

    report = json.loads(Path(train_translator(tiny_config(), str(workspace))).read_text(encoding="utf-8"))

    assert [step["name"] for step in report["steps"] if not step["cached"]] == ["clean"]
    assert Workspace(workspace).find("clean", index_file.stem) is not None
