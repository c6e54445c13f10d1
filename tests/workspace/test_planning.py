"""What `plan` says, on a workspace whose steps were done without Prefect."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from seq2seq import pipeline
from seq2seq.config import Config
from seq2seq.corpora.fetching import identity
from seq2seq.errors import CorpusError, ModelError, UserError
from seq2seq.pipeline import INHERITED, STEPS, ingredients, perform
from seq2seq.registry import adoption
from seq2seq.storage.artifacts import Record, Workspace, digest_of, write_text_atomically
from seq2seq.storage.code_digests import code_digests
from seq2seq.workspace.planning import changes, look_up, plan
from tests.tiny import write_tiny_model

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
        records[name] = perform(step, sections, records, workspace, ingredients(step, sections, records, source))
        store(records[name], workspace)
    return workspace


def store(record: Record, workspace: Workspace) -> None:
    """Write a record where Prefect would, in its form."""
    text = json.dumps({"metadata": {}, "result": record.model_dump_json()})
    write_text_atomically(workspace.index_file(record.step, record.key), text)


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


def test_the_first_time_that_one_split_is_scored_is_not_told_against_a_training(
    workspace: Workspace, tiny_config: Read
) -> None:
    corpus = tiny_config("corpus.test=second_test").corpus.only("test")
    step, sections = STEPS["fetch"], {"corpus": corpus}
    fetch = ingredients(step, sections, {}, identity(corpus))
    assert look_up(step, fetch, workspace) == (None, "not done yet")

    record = perform(step, sections, {}, workspace, fetch)
    store(record, workspace)
    clean = ingredients(STEPS["clean"], {"cleaning": tiny_config().cleaning}, {"fetch": record})
    assert look_up(STEPS["clean"], clean, workspace) == (None, "not done yet")
    other = tiny_config().corpus.only("test")
    changed = ingredients(step, {"corpus": other}, {}, identity(other))
    assert look_up(step, changed, workspace)[1].startswith("the source's files.test.source changed")


def test_a_damaged_artifact_is_stale_and_said_to_be_damaged(workspace: Workspace, tiny_config: Read) -> None:
    (damaged,) = workspace.records("clean")
    (workspace.root / damaged.address / "valid.arrow").unlink()

    assert answers(tiny_config(), workspace)["clean"] == "stale"
    assert reason("clean", tiny_config(), workspace) == f"{workspace.root / damaged.address / 'valid.arrow'} is gone"


@pytest.mark.parametrize("kept", [0, 30])
def test_a_record_that_is_not_whole_is_stale_and_its_file_is_named(
    kept: int, workspace: Workspace, tiny_config: Read
) -> None:
    (made,) = workspace.records("clean")
    path = workspace.index_file("clean", made.key)
    path.write_bytes(path.read_bytes()[:kept])

    assert reason("clean", tiny_config(), workspace) == f"{path} holds no whole record"
    assert answers(tiny_config(), workspace)["clean"] == "stale"


def test_a_setting_changed_back_is_fresh(workspace: Workspace, tiny_config: Read) -> None:
    assert answers(tiny_config("cleaning.max_words=50"), workspace)["clean"] == "stale"
    assert answers(tiny_config(), workspace)["clean"] == "fresh"


def test_changed_code_is_named_by_its_file(
    workspace: Workspace, tiny_config: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digests(*modules: str) -> dict[str, str]:
        return {
            name: "edited" if name.endswith("corpora.cleaning") else digest
            for name, digest in code_digests(*modules).items()
        }

    monkeypatch.setattr(pipeline, "code_digests", digests)

    assert reason("clean", tiny_config(), workspace) == "code of seq2seq/corpora/cleaning.py changed"


def test_modules_that_come_or_go_are_told_from_those_that_change() -> None:
    old = {"code": {"seq2seq.corpora": "1", "seq2seq.gone": "1", "seq2seq.errors": "1"}}
    new = {"code": {"seq2seq.corpora": "2", "seq2seq.added": "1", "seq2seq.errors": "1"}}

    assert [str(change) for change in changes(old, new)] == [
        "code of seq2seq/added.py added",
        "code of seq2seq/corpora/__init__.py changed",
        "code of seq2seq/gone.py removed",
    ]


def test_a_library_of_another_version_is_named_with_both(
    workspace: Workspace, tiny_config: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "version", lambda name: "999" if name == "tokenizers" else version(name))

    assert reason("tokenize", tiny_config(), workspace) == f"tokenizers {version('tokenizers')} -> 999"


def test_changes_of_settings_are_told_before_those_of_code() -> None:
    old = {"code": {"seq2seq.a": "1"}, "settings": {"model": {"attention": "", "bidirectional": True, "size": 1}}}
    new = {"code": {"seq2seq.a": "2"}, "settings": {"model": {"attention": "dot", "bidirectional": False, "new": 2}}}

    assert [str(change) for change in changes(old, new)] == [
        'model.attention "" -> dot',
        "model.bidirectional true -> false",
        "model.new added",
        "model.size removed",
        "code of seq2seq/a.py changed",
    ]


def test_an_interrupted_training_goes_on_from_its_checkpoint(workspace: Workspace, tiny_config: Read) -> None:
    (wanted,) = (step.ingredients for step in plan(tiny_config(), workspace) if step.name == "train")
    folder = workspace.checkpoints(digest_of(wanted))
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt.partial").touch()
    assert reason("train", tiny_config(), workspace) == "not done yet"
    (folder / "checkpoint.pt").touch()

    assert reason("train", tiny_config(), workspace).startswith("not done yet; goes on from its checkpoint of 20")


def test_a_training_that_starts_from_a_model_depends_on_taking_it_in(
    workspace: Workspace, tiny_config: Read, tmp_path: Path
) -> None:
    config = tiny_config()
    parent = write_tiny_model(tmp_path / "parent", **config.model.model_dump())
    before = plan(config, workspace, parent)
    model = adoption.ModelSource(directory=str(parent))
    made = perform(
        adoption.ADOPT,
        {"source": model},
        {},
        workspace,
        ingredients(adoption.ADOPT, {"source": model}, {}, adoption.identity(model)),
    )
    store(made, workspace)
    after = {step.name: step for step in plan(config, workspace, parent)}

    assert [str(step) for step in before if step.answer != "fresh"] == [
        "adopt: stale, not done yet",
        "vocabulary: depends on what adopt will give",
        "encode: depends on what vocabulary will give",
        "train: depends on what encode, vocabulary and adopt will give",
        "evaluate: depends on what train will give",
    ]
    assert after["adopt"].answer == "fresh"
    assert after["vocabulary"].ingredients["inputs"]["parent"] == made.parts(INHERITED.inputs["parent"])


def test_a_model_that_does_not_fit_is_an_error_before_anything_is_planned(
    workspace: Workspace, tiny_config: Read, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"its model\.attention is general, not none"):
        plan(tiny_config(), workspace, write_tiny_model(tmp_path / "parent"))


def test_a_workspace_that_is_a_file_is_an_error(tmp_path: Path, tiny_config: Read) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match=r"file/.* cannot be read \(Not a directory\)"):
        plan(tiny_config(), Workspace(tmp_path / "file"))


def test_a_workspace_that_cannot_be_read_is_an_error(workspace: Workspace, tiny_config: Read) -> None:
    (made,) = workspace.records("fetch")
    path = workspace.index_file("fetch", made.key)
    path.unlink()
    path.mkdir()

    with pytest.raises(UserError, match=rf"{made.key}\.json cannot be read \(Is a directory\)"):
        plan(tiny_config(), workspace)


def test_missing_source_files_are_an_error(workspace: Workspace, tiny_config: Read, tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        plan(tiny_config(f"corpus.directory={tmp_path / 'nowhere'}"), workspace)


def test_a_hub_dataset_counts_at_the_commit_that_was_fetched_last(workspace: Workspace, tiny_config: Read) -> None:
    config = tiny_config("corpus.kind=hub", "corpus.directory=", "corpus.dataset=owner/name")
    pinned = config.corpus.model_copy(update={"revision": "c" * 40})
    step, (made,) = STEPS["fetch"], workspace.records("fetch")
    provenance = ingredients(step, {"corpus": pinned}, {}, identity(pinned))
    record = made.model_copy(update={"provenance": provenance, "key": digest_of(provenance)})
    store(record, workspace)
    asked = workspace.revision_file(identity(config.corpus))
    asked.parent.mkdir()
    asked.write_text("c" * 40, encoding="utf-8")

    assert answers(config, workspace)["fetch"] == "fresh"
    assert reason("fetch", config, workspace) == "at commit cccccccccccc, the last one fetched"
    other = tiny_config(
        "corpus.kind=hub", "corpus.directory=", "corpus.dataset=owner/name", f"corpus.revision={'d' * 40}"
    )
    assert answers(other, workspace)["fetch"] == "stale"


def test_planning_writes_nothing(tmp_path: Path, tiny_config: Read) -> None:
    plan(tiny_config(), Workspace(tmp_path / "none"))

    assert not (tmp_path / "none").exists()
