import json
import os
from pathlib import Path

import pytest

from seq2seq.config import Config, validate_config
from seq2seq.errors import ModelError
from seq2seq.registry.model_folder import check_model
from seq2seq.registry.sharing import assemble, pipeline_json
from tests.tiny import write_tiny_model

FILES = [
    "README.md",
    "config.json",
    "model.safetensors",
    "pipeline.json",
    "source_tokenizer.json",
    "target_tokenizer.json",
]
CONFIG = Config(name="tiny")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = write_tiny_model(tmp_path / "artifacts" / "train")
    (folder / "log").mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_holds_the_model_its_card_and_its_configuration(trained: Path, tmp_path: Path) -> None:
    destination = tmp_path / "models" / "de-en" / "tiny"
    assert assemble(trained, destination, "# Card\n", CONFIG)
    assert names(destination) == FILES
    assert names(destination.parent) == ["tiny"]
    assert check_model(destination) == check_model(trained)
    assert (destination / "README.md").read_text(encoding="utf-8") == "# Card\n"
    assert json.loads((destination / "pipeline.json").read_text(encoding="utf-8"))["name"] == "tiny"


def test_the_folder_holds_the_scores_that_its_model_came_to(trained: Path, tmp_path: Path) -> None:
    scores = {"bleu": 42.24, "signature": "s", "chrf": 60, "int8": {"bleu": 42.1, "difference": -0.14}}
    assert assemble(trained, tmp_path / "shared", "# Card\n", CONFIG, scores)
    found = json.loads((tmp_path / "shared" / "scores.json").read_text(encoding="utf-8"))
    assert found == {"test": "test", "bleu": 42.24, "signature": "s", "int8": {"bleu": 42.1, "difference": -0.14}}


def test_equal_content_is_left_as_it_lies(trained: Path, tmp_path: Path) -> None:
    assemble(trained, tmp_path / "shared", "# Card\n", CONFIG)
    (tmp_path / "shared" / "notes.txt").write_text("mine", encoding="utf-8")
    inode = os.stat(tmp_path / "shared").st_ino
    assert not assemble(trained, tmp_path / "shared", "# Card\n", CONFIG)
    assert os.stat(tmp_path / "shared").st_ino == inode
    assert (tmp_path / "shared" / "notes.txt").exists()


@pytest.mark.parametrize("damage", ["card", "weights", "missing", "configuration"])
def test_other_content_is_replaced_as_a_whole(trained: Path, tmp_path: Path, damage: str) -> None:
    shared = tmp_path / "shared"
    assemble(trained, shared, "# Card\n", CONFIG)
    match damage:
        case "card":
            (shared / "README.md").write_bytes(b"\xff")
        case "weights":
            (shared / "model.safetensors").write_bytes(b"short")
        case "missing":
            (shared / "pipeline.json").unlink()
        case "configuration":
            (shared / "config.json").write_text("{}", encoding="utf-8")
    assert assemble(trained, shared, "# Card\n", CONFIG)
    assert check_model(shared) == check_model(trained)
    assert not assemble(trained, shared, "# Card\n", CONFIG)
    assert names(tmp_path) == ["artifacts", "shared"]


def test_a_new_model_takes_the_place_of_the_old_one(trained: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "artifacts" / "other", seed=8)
    assemble(trained, tmp_path / "shared", "# Card\n", CONFIG)
    assert assemble(other, tmp_path / "shared", "# Card\n", CONFIG)
    assert check_model(tmp_path / "shared") == check_model(other)


def test_a_model_comes_back_when_an_earlier_run_died_between_its_two_renames(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    assemble(trained, shared, "# Card\n", CONFIG)
    rename = Path.rename

    def die(self: Path, target: Path) -> Path:
        if self.suffix == ".partial":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", die)
    with pytest.raises(KeyboardInterrupt):
        assemble(trained, shared, "# New card\n", CONFIG)
    monkeypatch.undo()
    assert not shared.exists()
    assert not assemble(trained, shared, "# Card\n", CONFIG)
    assert check_model(shared) == check_model(trained)


def test_a_run_that_died_while_it_copied_leaves_nothing_in_the_way(trained: Path, tmp_path: Path) -> None:
    left = tmp_path / ".shared.partial"
    left.mkdir()
    (left / "README.md").write_text("half", encoding="utf-8")
    assert assemble(trained, tmp_path / "shared", "# Card\n", CONFIG)
    assert names(tmp_path / "shared") == FILES
    assert not left.exists()


def test_what_a_run_left_that_died_before_it_had_tidied_up_goes_with_the_next(trained: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    assemble(trained, shared, "# Card\n", CONFIG)
    for left in (".shared.old", ".shared.partial"):
        (tmp_path / left).mkdir()

    assert not assemble(trained, shared, "# Card\n", CONFIG)

    assert [path.name for path in tmp_path.glob(".shared.*")] == []


def test_a_damaged_model_is_not_shared(trained: Path, tmp_path: Path) -> None:
    (trained / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ModelError, match="is truncated"):
        assemble(trained, tmp_path / "shared", "# Card\n", CONFIG)
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_model_of_ours_is_never_replaced(trained: Path, tmp_path: Path, kind: str) -> None:
    occupied = tmp_path / "champion"
    if kind == "folder":
        occupied.mkdir()
    else:
        occupied.write_text("tiny", encoding="utf-8")
    with pytest.raises(ModelError, match="is there already and is no model folder"):
        assemble(trained, occupied, "# Card\n", CONFIG)
    assert occupied.exists()


def test_the_configuration_names_no_place_and_no_machine() -> None:
    config = validate_config(
        {"corpus": {"kind": "files", "directory": "/home/someone/corpus"}, "runtime": {"threads": 3}}
    )
    shared = json.loads(pipeline_json(config))
    assert "runtime" not in shared
    assert "/home" not in pipeline_json(config)
    assert validate_config(shared).training == config.training


@pytest.mark.parametrize(
    "content",
    ['{"model_type": "marian"}', '{"format": 1, "kind": "seq2seq-onnx", "files": {}}', '{"format": 3}', "5", "[]", "#"],
)
def test_neither_another_program_s_model_nor_an_export_is_replaced(trained: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match="is no model folder: move it away"):
        assemble(trained, tmp_path / "theirs", "# Card\n", CONFIG)
    assert names(tmp_path / "theirs") == ["config.json"]


def test_a_link_to_a_model_folder_gives_way_and_what_it_names_stays(trained: Path, tmp_path: Path) -> None:
    assemble(trained, tmp_path / "elsewhere", "# Old\n", CONFIG)
    shared = tmp_path / "models" / "tiny"
    shared.parent.mkdir()
    shared.symlink_to(tmp_path / "elsewhere")
    for card in ("# New\n", "# Newer\n"):
        assert assemble(trained, shared, card, CONFIG)
        assert (shared / "README.md").read_text(encoding="utf-8") == card
        assert names(shared.parent) == ["tiny"]
    assert (tmp_path / "elsewhere" / "README.md").read_text(encoding="utf-8") == "# Old\n"
