"""A model folder taken into the workspace, and the configuration that comes with it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from seq2seq.errors import ModelError
from seq2seq.pipeline import ingredients, perform
from seq2seq.registry.adoption import ADOPT, ModelSource, identity, made_with
from seq2seq.registry.sharing import PIPELINE
from seq2seq.storage.artifacts import Record, Workspace
from tests.tiny import write_tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


def adopted(folder: Path, workspace: Workspace) -> Record:
    source = ModelSource(directory=str(folder))
    sections = {"source": source}
    return perform(ADOPT, sections, {}, workspace, ingredients(ADOPT, sections, {}, identity(source)))


def test_what_is_adopted_is_the_model_and_not_what_lies_beside_it(folder: Path, tmp_path: Path) -> None:
    first = adopted(folder, Workspace(tmp_path / "workspace"))
    (folder / "README.md").write_text("another card", encoding="utf-8")
    moved = folder.rename(tmp_path / "elsewhere")

    second = adopted(moved, Workspace(tmp_path / "workspace"))

    assert (second.key, second.digest) == (first.key, first.digest)
    assert set(first.files) == {"config.json", "model.safetensors", "source_tokenizer.json", "target_tokenizer.json"}


def test_a_folder_that_changes_between_hashing_and_copying_is_recorded_under_neither_content(
    folder: Path, tmp_path: Path
) -> None:
    source = ModelSource(directory=str(folder))
    provenance = ingredients(ADOPT, {"source": source}, {}, identity(source))
    shutil.rmtree(folder)
    write_tiny_model(folder, seed=20)

    with pytest.raises(ModelError, match=f"{folder} changed while it was copied"):
        perform(ADOPT, {"source": source}, {}, Workspace(tmp_path / "workspace"), provenance)

    assert list(tmp_path.glob("workspace/artifacts/adopt/*")) == []


def test_a_damaged_folder_is_not_adopted(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")

    with pytest.raises(ModelError, match="truncated"):
        identity(ModelSource(directory=str(folder)))


def test_a_folder_brings_its_configuration(folder: Path) -> None:
    values: dict[str, Any] = {"name": "mine", "corpus": {"kind": "files"}}
    (folder / PIPELINE).write_text(json.dumps(values), encoding="utf-8")

    assert made_with(folder) == values


def test_a_folder_without_a_configuration_brings_its_name_and_languages(folder: Path) -> None:
    (folder / PIPELINE).unlink(missing_ok=True)

    brought = made_with(folder)

    assert brought["name"] == "model"
    assert set(brought["corpus"]) == {"source_language", "target_language"}


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_configuration_that_cannot_be_read_is_an_error(text: str, folder: Path) -> None:
    (folder / PIPELINE).write_text(text, encoding="utf-8")

    with pytest.raises(ModelError, match=PIPELINE):
        made_with(folder)
