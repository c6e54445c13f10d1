"""What `plan` says, on a workspace whose steps were done without Prefect."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq.artifacts import Record, Workspace, digest_of, write_text_atomically
from seq2seq.config import Config
from seq2seq.corpora.fetching import identity
from seq2seq.errors import CorpusError
from seq2seq.pipeline import STEPS, ingredients, perform
from seq2seq.planning import plan

Read = Callable[..., Config]
UNTIL_ENCODE = ["fetch", "clean", "tokenize", "vocabulary", "encode"]


@pytest.fixture
def workspace(tmp_path: Path, tiny_config: Read) -> Workspace:
    """A workspace in which everything before the training is done."""
    workspace, config = Workspace(tmp_path), tiny_config()
    records: dict[str, Record] = {}
    for name in UNTIL_ENCODE:
        step = STEPS[name]
        sections = {section: config.section(section) for section in step.sections}
        source = identity(config.corpus) if name == "fetch" else None
        made = perform(step, sections, records, workspace, ingredients(step, sections, records, source))
        stored = json.dumps({"metadata": {}, "result": made.model_dump_json()})
        write_text_atomically(workspace.index_file(name, made.key), stored)
        records[name] = made
    return workspace


def answers(config: Config, workspace: Workspace) -> dict[str, str]:
    return {step.name: step.answer for step in plan(config, workspace)}


def reason(step: str, config: Config, workspace: Workspace) -> str:
    return next(planned.why for planned in plan(config, workspace) if planned.name == step)


def test_what_is_done_is_fresh_the_next_step_is_stale_and_the_rest_depends(
    workspace: Workspace, tiny_config: Read
) -> None:
    assert answers(tiny_config(), workspace) == {
        **dict.fromkeys(UNTIL_ENCODE, "fresh"),
        "train": "stale",
        "evaluate": "depends",
    }
    assert reason("train", tiny_config(), workspace) == "not done yet"


def test_a_changed_setting_is_named_with_both_values(workspace: Workspace, tiny_config: Read) -> None:
    config = tiny_config("cleaning.max_words=50")

    assert reason("clean", config, workspace) == "cleaning.max_words 100 -> 50"
    assert answers(config, workspace)["tokenize"] == "depends"
    assert reason("tokenize", config, workspace) == "on what clean will give"


def test_many_changes_are_counted(workspace: Workspace, tiny_config: Read) -> None:
    config = tiny_config(
        *(f"cleaning.{name}=5" for name in ("max_words", "max_characters", "max_length_ratio")),
        "cleaning.drop_copies=false",
        "cleaning.drop_leaks=false",
    )

    assert reason("clean", config, workspace).endswith(" and 2 more")


def test_another_test_set_makes_fetch_stale(workspace: Workspace, tiny_config: Read) -> None:
    assert "the source's" in reason("fetch", tiny_config("corpus.test=second_test"), workspace)


def test_a_damaged_artifact_is_stale_and_said_to_be_damaged(workspace: Workspace, tiny_config: Read) -> None:
    (damaged,) = workspace.records("clean")
    (workspace.root / damaged.address / "valid.arrow").unlink()

    assert answers(tiny_config(), workspace)["clean"] == "stale"
    assert reason("clean", tiny_config(), workspace).endswith("valid.arrow is gone")


def test_missing_source_files_are_an_error(workspace: Workspace, tiny_config: Read, tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        plan(tiny_config(f"corpus.directory={tmp_path / 'nowhere'}"), workspace)


def test_a_hub_dataset_counts_at_the_commit_that_was_fetched_last(workspace: Workspace, tiny_config: Read) -> None:
    config = tiny_config("corpus.kind=hub", "corpus.dataset=owner/name")
    pinned = config.corpus.model_copy(update={"revision": "c" * 40})
    step, (made,) = STEPS["fetch"], workspace.records("fetch")
    provenance = ingredients(step, {"corpus": pinned}, {}, identity(pinned))
    record = made.model_copy(update={"provenance": provenance, "key": digest_of(provenance)})
    stored = json.dumps({"metadata": {}, "result": record.model_dump_json()})
    write_text_atomically(workspace.index_file("fetch", record.key), stored)

    assert answers(config, workspace)["fetch"] == "fresh"
    assert reason("fetch", config, workspace) == "at commit cccccccccccc, the last one fetched"


def test_planning_writes_nothing(tmp_path: Path, tiny_config: Read) -> None:
    plan(tiny_config(), Workspace(tmp_path / "none"))

    assert not (tmp_path / "none").exists()
