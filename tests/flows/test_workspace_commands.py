"""`python -m flows workspace size` and `prune`, on a workspace that a run made."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from flows.retrain_translator import retrain_translator
from flows.train_translator import train_translator
from seq2seq.config import Config
from seq2seq.pipeline import STEPS
from seq2seq.storage.artifacts import Workspace
from seq2seq.workspace.planning import plan
from seq2seq.workspace.pruning import PruneReport, prune
from tasks.locks import FileLocks
from tasks.presence import present

CHECKOUT = Path(__file__).parents[2]
DAY = 24 * 3600

Say = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def workspace(first: tuple[Path, dict[str, Any]], tmp_path: Path) -> Workspace:
    """A workspace that one run used, 40 days ago."""
    copy = Workspace(Path(shutil.copytree(first[0], tmp_path / "workspace")))
    moment = time.time() - 40 * DAY
    for path in copy.root.rglob("*"):
        os.utime(path, (moment, moment))
    return copy


@pytest.fixture
def say(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs `python -m flows workspace …`; gives its exit code and the lines of its output."""

    def run(*arguments: str) -> tuple[int, list[str]]:
        code = main(["workspace", *arguments, "--workspace", str(workspace.root)])
        return code, capsys.readouterr().out.splitlines()

    return run


def fresh(workspace: Workspace, config: Config) -> list[str]:
    return [step.name for step in plan(config, workspace) if step.answer == "fresh"]


def test_size_says_what_takes_the_space_and_changes_nothing(workspace: Workspace, say: Say) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in workspace.root.rglob("*"))

    code, lines = say("size")

    assert code == 0
    kinds = [line.split()[0] for line in lines[:-1]]
    assert {f"artifacts/{step}" for step in STEPS} | {"index", "models", "runs", "total"} <= set(kinds)
    assert lines[-1].startswith("`workspace prune --keep-days 30` would free ")
    assert sorted((path, path.stat().st_mtime_ns) for path in workspace.root.rglob("*")) == before


def test_the_size_of_a_workspace_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["workspace", "size", "--workspace", str(tmp_path / "nix")]) == 2

    assert f"There is no workspace {tmp_path / 'nix'}." in capsys.readouterr().err


def test_pruned_steps_are_not_done_and_the_next_run_makes_them_again(
    workspace: Workspace, say: Say, tiny_config: Callable[..., Config]
) -> None:
    assert fresh(workspace, tiny_config()) == list(STEPS)

    code, lines = say("prune", "--keep-days", "30")

    assert code == 0
    assert sorted(line.split()[:2] for line in lines[:-1]) == sorted(["removed", step] for step in STEPS)
    assert lines[-1].startswith("freed ")
    assert [step.answer for step in plan(tiny_config(), workspace)] == ["stale"] + ["depends"] * 6
    train_translator(tiny_config(), str(workspace.root))
    assert fresh(workspace, tiny_config()) == list(STEPS)


def test_a_retraining_that_finds_nothing_new_still_does_nothing_after_pruning(
    workspace: Workspace, say: Say, tiny_config: Callable[..., Config]
) -> None:
    retrain_translator(tiny_config(), str(workspace.root))

    code, lines = say("prune", "--keep-days", "0", "--max-gib", "0")

    assert code == 0
    assert lines[0].startswith("kept for the champion of de-en: ")
    assert "are more than 0 bytes" in lines[-1]
    report = json.loads(Path(retrain_translator(tiny_config(), str(workspace.root))).read_text(encoding="utf-8"))
    assert [step["name"] for step in report["steps"] if not step["cached"]] == []
    assert report["decision"]["action"] == "unchanged"


def test_a_run_beside_constant_pruning_finishes_and_keeps_what_it_made(
    workspace: Workspace, tiny_config: Callable[..., Config]
) -> None:
    finished = threading.Event()
    reports: list[PruneReport] = []

    def prune_again_and_again() -> None:
        while not finished.is_set():
            reports.append(prune(workspace, 0.001, 0, FileLocks(workspace.locks)))

    pruner = threading.Thread(target=prune_again_and_again)
    with present(workspace):
        pruner.start()
        try:
            train_translator(tiny_config("training.seed=2"), str(workspace.root))
        finally:
            finished.set()
            pruner.join()

        assert fresh(workspace, tiny_config("training.seed=2")) == list(STEPS)
    assert sum(len(report.removed) for report in reports) >= len(STEPS)  # those of 40 days ago


@pytest.mark.parametrize("command", [("size",), ("prune", "--dry-run"), ("prune", "--dry-run", "--locks", "redis://a")])
def test_what_writes_nothing_needs_no_locks_and_makes_none(
    command: tuple[str, ...], workspace: Workspace, say: Say
) -> None:
    before = sorted(workspace.root.rglob("*"))
    assert say(*command)[0] == 0
    assert sorted(workspace.root.rglob("*")) == before

    (workspace.locks / "identity").write_text("of runs that lock by Redis", encoding="ascii")
    assert say(*command)[0] == 0


def test_a_dry_run_says_what_would_go_and_what_a_running_flow_needs(workspace: Workspace, say: Say) -> None:
    (model,) = workspace.records("train")
    with present(workspace):
        workspace.touch(model)
        code, lines = say("prune", "--dry-run")

    assert code == 0
    assert [line for line in lines if line.startswith("removed")] == []
    assert sum(line.startswith("would remove") for line in lines) == len(STEPS) - 1
    assert "kept for a flow that is running: 1 train" in lines
    assert lines[-1].startswith("would free ")
    assert len(list(workspace.index.glob("*/*.json"))) == len(STEPS)


def test_a_pointer_that_cannot_be_read_is_one_clear_error(
    workspace: Workspace, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace.models("de", "en") / "champion.json").write_text("{", encoding="utf-8")

    code = main(["workspace", "prune", "--workspace", str(workspace.root)])

    assert code == 2
    assert "champion.json is damaged" in capsys.readouterr().err


def test_the_commands_import_neither_prefect_nor_torch(workspace: Workspace) -> None:
    program = (
        "import sys; from flows.__main__ import main; code = main(sys.argv[1:]); "
        "sys.exit(code or ', '.join(name for name in ('prefect', 'torch', 'pandas') if name in sys.modules) or None)"
    )
    for command in ("size", "prune"):
        arguments = ("workspace", command, "--workspace", str(workspace.root))
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_locks_that_are_none_are_one_message_with_code_2(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["workspace", "prune", "--locks", "file:x", "--workspace", str(workspace.root)]) == 2
    assert "runtime.locks" in capsys.readouterr().err
