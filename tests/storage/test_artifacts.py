"""Records and the workspace."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import ArtifactDamaged
from seq2seq.storage.artifacts import (
    Artifact,
    FileEntry,
    Record,
    Workspace,
    canonical_json,
    digest_of,
    part_of,
    write_text_atomically,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def publish(workspace: Workspace, key: str = "key", **files: str) -> Record:
    """Publish files (`train_arrow="text"` is train.arrow) as an artifact of `clean`."""

    def write(folder: Path) -> tuple[dict[str, Any], float]:
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
        (folder / "log").mkdir()
        (folder / "log" / "timing.json").write_text(key, encoding="utf-8")
        return {"files": len(files)}, 1.5

    return workspace.publish("clean", key, write, {"why": "test"})


@given(st.dictionaries(st.text(), JSON))
def test_equal_values_have_equal_digests_whatever_their_order(value: dict[str, Any]) -> None:
    backwards = dict(reversed(value.items()))

    assert digest_of(backwards) == digest_of(value)
    assert json.loads(canonical_json(value)) == value


def test_a_published_artifact_lies_at_its_content_and_its_record_names_no_place(workspace: Workspace) -> None:
    record = publish(workspace, train_arrow="one", test_arrow="two")

    assert record.address == f"artifacts/clean/{record.digest}"
    assert workspace.open(record).file("train.arrow").read_text(encoding="utf-8") == "one"
    assert (record.statistics, record.seconds) == ({"files": 2}, 1.5)
    assert str(workspace.root) not in record.model_dump_json()
    workspace.verify(record)


def test_the_digest_is_that_of_the_content_alone(workspace: Workspace) -> None:
    first = publish(workspace, "one", train_arrow="same")

    assert publish(workspace, "two", train_arrow="same").digest == first.digest  # another key, another log
    assert publish(workspace, "one", train_arrow="other").digest != first.digest


def test_parts_are_digested_one_by_one(workspace: Workspace) -> None:
    first = publish(workspace, "one", train_arrow="a", test_arrow="b")
    second = publish(workspace, "two", train_arrow="a", test_arrow="c")

    assert first.parts(["train"]) == second.parts(["train"])
    assert first.parts(["test"]) != second.parts(["test"])
    assert first.parts() == first.parts(["test", "train"])
    assert first.parts(["valid"]) == {}


def test_a_part_is_a_file_name_up_to_the_first_dot() -> None:
    assert [part_of(name) for name in ("train.arrow", "train.de.gz", "README")] == ["train", "train", "README"]


def test_a_step_sees_only_the_parts_that_it_declared(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path, ("train",))

    assert artifact.file("train.arrow") == tmp_path / "train.arrow"
    assert not artifact.has("train.arrow")
    with pytest.raises(KeyError, match=r"test\.arrow is not among the declared parts"):
        artifact.file("test.arrow")


def test_a_deleted_file_is_noticed(workspace: Workspace) -> None:
    record = publish(workspace, train_arrow="one")
    workspace.open(record).file("train.arrow").unlink()

    with pytest.raises(ArtifactDamaged, match=r"train\.arrow is gone"):
        workspace.verify(record)


def test_a_flipped_byte_is_noticed_though_size_and_time_are_kept(workspace: Workspace) -> None:
    record = publish(workspace, train_arrow="one")
    path = workspace.open(record).file("train.arrow")
    before = path.stat()
    path.write_text("ond", encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(ArtifactDamaged, match="does not hold the 3 bytes published"):
        workspace.verify(record)


def test_publishing_again_mends_a_damaged_artifact(workspace: Workspace) -> None:
    record = publish(workspace, train_arrow="one")
    workspace.open(record).file("train.arrow").write_text("bad", encoding="utf-8")

    assert publish(workspace, train_arrow="one").digest == record.digest

    workspace.verify(record)
    assert [path.name for path in (workspace.root / "artifacts" / "clean").iterdir()] == [record.digest]


def test_work_that_fails_leaves_no_folder(workspace: Workspace) -> None:
    def write(folder: Path) -> tuple[dict[str, Any], float]:
        (folder / "half.arrow").write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.publish("clean", "key", write, {})

    assert list((workspace.root / "artifacts" / "clean").iterdir()) == []


def test_what_a_killed_run_left_behind_does_not_get_into_the_artifact(workspace: Workspace) -> None:
    partial = workspace.root / "artifacts" / "clean" / "key.partial"
    partial.mkdir(parents=True)
    (partial / "rubbish.arrow").write_text("rubbish", encoding="utf-8")

    assert set(publish(workspace, "key", train_arrow="one").files) == {"train.arrow"}


def test_records_are_read_from_the_result_files_that_prefect_writes(workspace: Workspace) -> None:
    from prefect.results import ResultStore

    from tasks.step import RecordSerializer

    record = publish(workspace, "abc", train_arrow="one")
    store = ResultStore(serializer=RecordSerializer(), result_storage=_storage(workspace.index))
    store.write(record, key="clean/abc.json")

    assert workspace.find("clean", "abc") == record
    assert workspace.records("clean") == [record]


def _storage(folder: Path) -> Any:
    from prefect.filesystems import LocalFileSystem

    return LocalFileSystem(basepath=str(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"result": 3}', '{"result": "{}"}', '{"metadata": {}}'])
def test_a_result_file_that_is_no_record_is_as_good_as_none(text: str, workspace: Workspace) -> None:
    write_text_atomically(workspace.index_file("clean", "key"), text)

    assert workspace.find("clean", "key") is None
    assert workspace.records("clean") == []


def test_a_step_that_was_never_done_has_no_records(workspace: Workspace) -> None:
    assert workspace.find("clean", "key") is None
    assert workspace.records("clean") == []


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_text_atomically(path, "first")
    write_text_atomically(path, "second")

    assert path.read_text(encoding="utf-8") == "second"
    assert list(path.parent.iterdir()) == [path]


def test_records_are_immutable_and_complete() -> None:
    entry = FileEntry(bytes=1, sha256="a")
    with pytest.raises(ValueError, match="frozen"):
        entry.bytes = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="Extra inputs"):
        FileEntry.model_validate({"bytes": 1, "sha256": "a", "path": "/somewhere"})
