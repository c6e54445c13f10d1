"""`train --continue-from`: a finished training goes on as a new record that names its parent."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from flows.train_translator import train_translator
from seq2seq.config import Config, load_config
from seq2seq.errors import ModelError
from seq2seq.registry.champions import Decision, Shelf, model_digest
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.workspace.planning import plan
from tests.tiny import write_tiny_model

pytestmark = pytest.mark.usefixtures("prefect_server")

First = tuple[Path, dict[str, Any]]
Read = Callable[..., Config]


@pytest.fixture
def workspace(first: First, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first[0], tmp_path / "workspace"))


def read_json(path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


def training_of(workspace: Path, report: dict[str, Any]) -> Record:
    key = next(step["key"] for step in report["steps"] if step["name"] == "train")
    record = Workspace(workspace).find("train", key)
    assert record is not None
    return record


def test_a_training_goes_on_from_a_model_folder_once_and_the_card_names_the_parent(
    first: First, workspace: Path, tiny_config: Read, tmp_path: Path
) -> None:
    parent = Path(shutil.copytree(first[1]["model_dir"], tmp_path / "parent"))
    config = tiny_config("name=longer", "training.max_steps=6")

    report = read_json(train_translator(config, str(workspace), str(parent)))
    again = read_json(train_translator(config, str(workspace), str(parent)))

    record = training_of(workspace, report)
    assert record.statistics["parent"] == model_digest(parent) == training_of(workspace, first[1]).digest
    assert record.statistics["steps"] == 6
    assert record.statistics["history"][0]["step"] == 0
    assert [step["name"] for step in report["steps"] if not step["cached"]] == [
        "adopt",
        "vocabulary",
        "train",
        "evaluate",
    ]
    assert [step["name"] for step in again["steps"] if not step["cached"]] == []
    card = (Path(report["model_dir"]) / "README.md").read_text(encoding="utf-8")
    assert f"continued from model `{model_digest(parent)[:12]}`" in card


def test_a_training_goes_on_from_the_champion_of_a_language_pair(
    first: First, workspace: Path, tiny_config: Read
) -> None:
    model = Path(first[1]["model_dir"])
    shelf = Shelf(workspace / "models" / "de-en")
    digest = model_digest(model)
    shelf.promote(model, {}, Decision(action="promoted", model=digest, name="tiny", by="retrain"))

    report = read_json(train_translator(tiny_config("name=longer"), str(workspace), str(shelf.folder)))

    assert training_of(workspace, report).statistics["parent"] == digest


def test_a_model_that_does_not_fit_is_refused_with_what_differs(
    workspace: Path, tiny_config: Read, tmp_path: Path
) -> None:
    stranger = write_tiny_model(tmp_path / "stranger")

    with pytest.raises(ModelError, match=r"its model\.encoder_hidden_size is 12, not 8; "):
        train_translator(tiny_config(), str(workspace), str(stranger))


def test_on_other_texts_a_training_goes_on_with_the_vocabulary_of_its_parent(
    first: First, workspace: Path, tiny_project: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(tiny_project, tmp_path / "project"))
    for language in ("de", "en"):
        path = project / "corpus" / f"train.{language}"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text(
            "".join(f"{line[:-1]} {name}.\n" for line, name in zip(lines, "AB" * 60, strict=True)), encoding="utf-8"
        )
    parent = Path(first[1]["model_dir"])
    config = load_config(str(project / "tiny.toml"), ["name=longer", "training.max_steps=6"])

    report = read_json(train_translator(config, str(workspace), str(parent)))

    assert training_of(workspace, report).statistics["parent"] == model_digest(parent)
    for name in ("source_tokenizer.json", "target_tokenizer.json"):
        assert (Path(report["model_dir"]) / name).read_bytes() == (parent / name).read_bytes()
    key = next(step["key"] for step in report["steps"] if step["name"] == "vocabulary")
    record = Workspace(workspace).find("vocabulary", key)
    assert record is not None
    assert record.statistics["source"]["frequent_unknown"] == [["▁A", 60], ["▁B", 60]]
    planned = {step.name: step.answer for step in plan(config, Workspace(workspace), parent)}
    assert set(planned.values()) == {"fresh"}


def test_a_folder_without_a_model_is_an_error_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "demo", "--continue-from", str(tmp_path / "none"), "--workspace", str(tmp_path / "workspace")]

    assert main(command) == 2

    assert "There is no model folder" in capsys.readouterr().err
    assert not (tmp_path / "workspace").exists()
