"""How a step becomes a cached Prefect task: the parts that need no server."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from prefect.serializers import Serializer
from prefect.states import Failed

from seq2seq import pipeline
from seq2seq.config import Config, validate_config
from seq2seq.corpora.fetching import identity
from seq2seq.errors import ArtifactDamaged, ConfigError, CorpusError, SourceUnavailable, UserError
from seq2seq.pipeline import STEPS
from seq2seq.registry.adoption import ADOPT
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.storage.artifacts import Record, Workspace, write_text_atomically
from tasks.step import (
    Address,
    PipelineRun,
    RecordSerializer,
    Work,
    current_run,
    pipeline_run,
    trying_again_may_help,
)


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


def fetching(run: PipelineRun) -> Work:
    corpus = CorpusSettings(train_pairs=3, valid_pairs=2, test_pairs=2)
    return Work(STEPS["fetch"], {"corpus": corpus}, {}, identity(corpus))


def test_a_missing_device_is_told_before_the_first_step_is_done(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = validate_config({"runtime": {"device": "cuda"}})
    with pipeline_run(workspace, config) as run, pytest.raises(ConfigError, match="sees no CUDA device"):
        fetching(run)()
    assert not workspace.records("fetch")


@pytest.mark.parametrize("when", ["before the step is reached", "while it waits", "and changes back"])
def test_a_step_is_not_done_with_code_that_changed_during_the_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    now = pipeline.code_of
    with pipeline_run(workspace, Config()) as run:
        work = fetching(run) if when == "while it waits" else None
        monkeypatch.setattr(pipeline, "code_of", lambda *steps: now(*steps) | {"seq2seq.corpora.pairs": "other"})
        work = work or fetching(run)
        if when == "and changes back":
            monkeypatch.setattr(pipeline, "code_of", now)
        with pytest.raises(UserError, match=r"corpora\.pairs changed while .* fetch would be done with code of"):
            work()

    assert not (workspace.root / "artifacts").exists()


def test_code_of_a_step_that_is_none_of_the_pipeline_s_counts_from_its_first_use(workspace: Workspace) -> None:
    digests = pipeline.code_of(ADOPT)
    with pipeline_run(workspace, Config()) as run:
        run.require_same_code("adopt", digests)
        run.require_same_code("adopt", digests)
        with pytest.raises(UserError, match="adoption changed"):
            run.require_same_code("adopt", digests | {"seq2seq.registry.adoption": "other"})


def test_a_record_that_prefect_could_not_read_is_not_made_again(workspace: Workspace) -> None:
    with pipeline_run(workspace, Config()) as run:
        first = fetching(run)
        record = first()
        index = workspace.index_file("fetch", record.key)
        write_text_atomically(index, json.dumps({"metadata": {}, "result": record.model_dump_json()}))
        again = fetching(run)

        assert again() == record
        assert (first.done, again.done, again.why) == (True, False, "")
