"""How a step becomes a cached Prefect task: the parts that need no server."""

import errno
from pathlib import Path
from typing import Any

import pytest
from prefect.serializers import Serializer
from prefect.states import Failed

from seq2seq.artifacts import Record, Workspace
from seq2seq.config import Config
from seq2seq.errors import ArtifactDamaged, CorpusError, SourceUnavailable
from tasks.step import Address, RecordSerializer, current_run, pipeline_run, trying_again_may_help


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def record(workspace: Workspace) -> Record:
    def write(folder: Path) -> tuple[dict[str, Any], float]:
        (folder / "train.arrow").write_text("pairs", encoding="utf-8")
        return {"pairs": 1}, 0.5

    return workspace.publish("clean", "k" * 32, write, {"step": "clean"})


def test_a_record_survives_storage(workspace: Workspace, record: Record) -> None:
    serializer = RecordSerializer()
    with pipeline_run(workspace, Config()):
        assert serializer.loads(serializer.dumps(record)) == record


def test_a_record_does_not_load_once_its_artifact_is_damaged(workspace: Workspace, record: Record) -> None:
    stored = RecordSerializer().dumps(record)
    (workspace.root / record.address / "train.arrow").write_text("paint", encoding="utf-8")

    with pipeline_run(workspace, Config()), pytest.raises(ArtifactDamaged, match="5 bytes published"):
        RecordSerializer().loads(stored)


def test_an_artifact_is_hashed_once_in_a_run(
    workspace: Workspace, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    monkeypatch.setattr(Workspace, "verify", lambda self, record: hashed.append(record.key))
    with pipeline_run(workspace, Config()):
        RecordSerializer().loads(RecordSerializer().dumps(record))
        RecordSerializer().loads(RecordSerializer().dumps(record))

    assert hashed == [record.key]


def test_prefect_finds_the_serializer_by_the_name_in_the_file() -> None:
    assert isinstance(Serializer(type="record"), RecordSerializer)


def test_the_cache_key_is_the_place_in_the_index() -> None:
    policy = Address(file="train/abc.json")

    assert policy.compute_key(None, {"any": "thing"}, {}) == "train/abc.json"


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (SourceUnavailable("the hub answers 503"), True),
        (CorpusError("train.de has 2 lines and train.en 1"), False),
        (ArtifactDamaged("gone"), False),
        (ValueError("a bug"), False),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
    ],
)
def test_only_what_the_network_or_a_host_did_is_tried_again(error: Exception, retried: bool) -> None:
    assert trying_again_may_help(None, None, Failed(data=error)) is retried


def test_a_step_outside_a_run_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(LookupError):
        current_run()
