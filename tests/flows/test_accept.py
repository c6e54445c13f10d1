"""Accepting a result after a change of code: the next run takes it from the cache."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from flows.train_translator import train_translator
from seq2seq import pipeline
from seq2seq.config import Config
from seq2seq.errors import UserError
from seq2seq.storage.artifacts import Record, Workspace, digest_of
from seq2seq.storage.code_digests import code_digests
from seq2seq.workspace.planning import plan
from tasks.acceptance import accept
from tasks.locks import FileLocks

pytestmark = pytest.mark.usefixtures("prefect_server")

Read = Callable[..., Config]
First = tuple[Path, dict[str, Any]]


@pytest.fixture
def workspace(first: First, tmp_path: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(first[0], tmp_path / "workspace")))


@pytest.fixture
def refactored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The training loop is written in another way now."""

    def digests(*modules: str) -> dict[str, str]:
        found = code_digests(*modules)
        return found | {name: "edited" for name in found if name == "seq2seq.training.loop"}

    monkeypatch.setattr(pipeline, "code_digests", digests)


def planned(config: Config, workspace: Workspace) -> dict[str, str]:
    return {step.name: str(step) for step in plan(config, workspace)}


def run(config: Config, workspace: Workspace) -> list[str]:
    """Run the flow; gives the names of the steps that were executed."""
    report = json.loads(Path(train_translator(config, str(workspace.root))).read_text(encoding="utf-8"))
    return [step["name"] for step in report["steps"] if not step["cached"]]


def only(records: list[Record]) -> Record:
    (record,) = records
    return record


@pytest.mark.usefixtures("refactored")
def test_an_accepted_result_is_a_hit_and_its_record_says_who_accepted_it_and_why(
    workspace: Workspace, tiny_config: Read
) -> None:
    before = only(workspace.records("train"))
    assert planned(tiny_config(), workspace)["train"] == "train: stale, code of seq2seq/training/loop.py changed"

    accepted = accept("train", tiny_config(), workspace, "mira", "only names")

    assert accepted is not None
    assert accepted.accepted is not None
    assert accepted.accepted.by == "mira"
    assert accepted.accepted.from_key == before.key
    assert accepted.accepted.changes == ("code of seq2seq/training/loop.py changed",)
    assert (accepted.digest, accepted.statistics) == (before.digest, before.statistics)
    assert workspace.find("train", accepted.key) == accepted
    today = accepted.accepted.at[:10]
    assert planned(tiny_config(), workspace)["train"] == f"train: fresh, accepted by mira on {today}: only names"
    assert run(tiny_config(), workspace) == []


@pytest.mark.usefixtures("refactored")
def test_an_accepted_result_shows_as_cached_in_prefect(workspace: Workspace, tiny_config: Read) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter

    accepted = accept("train", tiny_config(), workspace, "mira", "")
    assert accepted is not None
    run(tiny_config(), workspace)

    named = TaskRunFilter.model_validate({"name": {"any_": [f"train {accepted.key[:8]}"]}})
    states: set[str | None] = set()
    deadline = time.monotonic() + 120
    with get_client(sync_client=True) as client:
        while states != {"Cached"} and time.monotonic() < deadline:  # the server hears of states a moment later
            time.sleep(0.2)
            states = {found.state_name for found in client.read_task_runs(task_run_filter=named)}
    assert states == {"Cached"}


def test_what_is_fresh_needs_no_accepting(workspace: Workspace, tiny_config: Read) -> None:
    before = list(workspace.index.rglob("*.json"))

    assert accept("train", tiny_config(), workspace, "mira", "") is None
    assert list(workspace.index.rglob("*.json")) == before


@pytest.mark.usefixtures("refactored")
def test_a_changed_setting_is_never_accepted(workspace: Workspace, tiny_config: Read) -> None:
    config = tiny_config("training.learning_rate=0.005")

    with pytest.raises(UserError, match=r"train cannot be accepted: training\.learning_rate \S+ -> 0\.005\. Settings"):
        accept("train", config, workspace, "mira", "")

    assert planned(config, workspace)["train"].startswith("train: stale, training.learning_rate")


@pytest.mark.usefixtures("refactored")
def test_a_setting_that_came_with_an_upgrade_is_accepted_at_its_default_only(
    workspace: Workspace, tiny_config: Read
) -> None:
    made = only(workspace.records("train"))
    settings = {**made.provenance["settings"], "training": dict(made.provenance["settings"]["training"])}
    del settings["training"]["r_drop"]
    older = {**made.provenance, "settings": settings}
    workspace.restate(made, made.model_copy(update={"key": digest_of(older), "provenance": older}))
    workspace.index_file("train", made.key).unlink()

    with pytest.raises(UserError, match=r"train cannot be accepted: training\.r_drop added\. Settings"):
        accept("train", tiny_config("training.r_drop=0.5"), workspace, "mira", "")
    accepted = accept("train", tiny_config(), workspace, "mira", "off means as before")

    assert accepted is not None
    assert accepted.accepted is not None
    assert accepted.accepted.changes == ("training.r_drop added", "code of seq2seq/training/loop.py changed")
    assert planned(tiny_config(), workspace)["train"].startswith("train: fresh, accepted by mira")


@pytest.mark.usefixtures("refactored")
def test_a_damaged_result_is_never_accepted(workspace: Workspace, tiny_config: Read) -> None:
    made = only(workspace.records("train"))
    (workspace.root / made.address / "model.safetensors").write_bytes(b"")

    with pytest.raises(UserError, match=r"model\.safetensors does not hold the .* a run makes it anew"):
        accept("train", tiny_config(), workspace, "mira", "")


def test_a_damaged_result_under_the_present_key_is_not_accepted_either(workspace: Workspace, tiny_config: Read) -> None:
    (workspace.root / only(workspace.records("train")).address / "model.safetensors").unlink()

    with pytest.raises(UserError, match="a run makes it anew"):
        accept("train", tiny_config(), workspace, "mira", "")


def test_a_step_that_was_never_done_has_nothing_to_accept(workspace: Workspace, tiny_config: Read) -> None:
    shutil.rmtree(workspace.index / "evaluate")

    with pytest.raises(UserError, match="nothing to accept: evaluate was never done in"):
        accept("evaluate", tiny_config(), workspace, "mira", "")


def test_a_step_after_a_stale_one_waits_for_it(workspace: Workspace, tiny_config: Read) -> None:
    with pytest.raises(UserError, match=r"train: depends on what .* Accept or redo clean first"):
        accept("train", tiny_config("cleaning.max_words=50"), workspace, "mira", "")


def test_an_unknown_step_is_told_with_the_one_that_was_meant(workspace: Workspace, tiny_config: Read) -> None:
    with pytest.raises(UserError, match=r"trian is no step of this run\. Did you mean train\?"):
        accept("trian", tiny_config(), workspace, "mira", "")


@pytest.mark.usefixtures("refactored")
def test_accepting_waits_for_a_run_that_does_the_step(workspace: Workspace, tiny_config: Read) -> None:
    (wanted,) = (step.ingredients for step in plan(tiny_config(), workspace) if step.name == "train")
    waiting = threading.Event()
    with FileLocks(workspace.locks).held(f"train/{digest_of(wanted)}.json"):
        thread = threading.Thread(
            target=accept,
            args=("train", tiny_config(), workspace, "mira", ""),
            kwargs={"on_wait": lambda key: waiting.set()},
        )
        thread.start()
        assert waiting.wait(120)
        assert workspace.find("train", digest_of(wanted)) is None
    thread.join(120)

    assert workspace.find("train", digest_of(wanted)) is not None


@pytest.mark.usefixtures("refactored")
def test_the_command_names_the_login_and_says_so_when_there_is_nothing_to_do(
    workspace: Workspace, tiny_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOGNAME", "noor")
    command = ["accept", "train", str(tiny_project / "tiny.toml"), "--workspace", str(workspace.root)]

    assert main([*command, "--why", "only names"]) == 0
    assert main(command) == 0

    assert capsys.readouterr().out.splitlines() == [
        "train: accepted, code of seq2seq/training/loop.py changed",
        "train: fresh already, nothing to accept",
    ]
    made = [record.accepted for record in workspace.records("train") if record.accepted]
    assert [(accepted.by, accepted.why) for accepted in made] == [("noor", "only names")]
