"""The champion of a language pair: pointer, history, versions."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from seq2seq import __main__ as command
from seq2seq.config import validate_config
from seq2seq.errors import ConfigError, ModelError
from seq2seq.registry.champions import Decision, Shelf, model_digest, resolve
from seq2seq.registry.model_folder import check_model
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.storage.artifacts import digest_of, file_sha256
from seq2seq.translator import Translator
from tests.tiny import write_tiny_model

CARD = {"README.md": "# Card\n"}
A, B, C, D = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)

WRITER = """
import sys
from pathlib import Path
from seq2seq.registry.champions import Decision, Shelf
from tasks.locks import FileLocks
root, letter = Path(sys.argv[1]), sys.argv[2]
shelf = Shelf(root / "models" / "de-en")
for number in range(20):
    with FileLocks(root / "locks").held("models/de-en/champion"):
        shelf.record(Decision(action="promoted", model=letter * 32, name=f"{number}", by="retrain"))
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two trained models."""
    folder = tmp_path_factory.mktemp("trained")
    return write_tiny_model(folder / "one"), write_tiny_model(folder / "two", seed=8)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models" / "de-en")


def decision(model: str, action: str = "promoted", name: str = "tiny") -> Decision:
    return Decision.model_validate({"action": action, "model": model, "name": name, "by": "retrain"})


def promote(shelf: Shelf, model: Path) -> bool:
    return shelf.promote(model, CARD, decision(model_digest(model)))


def test_before_the_first_decision_there_is_no_champion(shelf: Shelf) -> None:
    assert (shelf.history(), shelf.champion(), shelf.champions_before()) == ([], None, [])
    with pytest.raises(ModelError, match=r"has no champion yet: .*models promote"):
        shelf.champion_folder()


def test_the_digest_of_a_model_is_that_of_the_files_a_training_publishes(models: tuple[Path, Path]) -> None:
    files = {path.name: file_sha256(path) for path in models[0].iterdir() if path.is_file()}

    assert model_digest(models[0]) == digest_of(files)
    assert model_digest(models[0]) != model_digest(models[1])


def test_a_promoted_model_lies_in_a_folder_of_its_own_with_its_card(shelf: Shelf, models: tuple[Path, Path]) -> None:
    assert promote(shelf, models[0])

    folder = shelf.champion_folder()
    assert folder == shelf.folder / "versions" / model_digest(models[0])[:12]
    assert check_model(folder) == check_model(models[0])
    assert (folder / "README.md").read_text(encoding="utf-8") == CARD["README.md"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_champion_is_the_last_model_that_was_not_refused(shelf: Shelf) -> None:
    for entry in (decision(A), decision(B), decision(C, "refused")):
        shelf.record(entry)

    assert [entry.model for entry in shelf.history()] == [A, B, C]
    champion = shelf.champion()
    assert champion is not None
    assert champion.model == B


def test_a_model_is_not_promoted_twice_in_a_row(shelf: Shelf, models: tuple[Path, Path]) -> None:
    promoted = [promote(shelf, model) for model in (models[0], models[0], models[1], models[0])]

    assert promoted == [True, False, True, True]
    assert len(shelf.history()) == 3


def test_each_rollback_goes_back_by_one_promotion(shelf: Shelf) -> None:
    for entry in (decision(A), decision(B), decision(C)):
        shelf.record(entry)
    assert [entry.model for entry in shelf.champions_before()] == [B, A]

    shelf.record(decision(B, "rolled_back"))
    assert [entry.model for entry in shelf.champions_before()] == [A]

    shelf.record(decision(D))
    assert [entry.model for entry in shelf.champions_before()] == [B, A]

    shelf.record(decision(A, "rolled_back"))
    assert shelf.champions_before() == []


def test_a_model_promoted_again_can_be_rolled_back_from(shelf: Shelf) -> None:
    for entry in (decision(A), decision(B), decision(A), decision(C, "refused")):
        shelf.record(entry)

    assert [entry.model for entry in shelf.champions_before()] == [B, A]


def test_a_champion_whose_folder_was_deleted_is_named_with_the_way_out(shelf: Shelf, models: tuple[Path, Path]) -> None:
    promote(shelf, models[0])
    folder = shelf.champion_folder()
    folder.rename(folder.with_name("elsewhere"))

    with pytest.raises(ModelError, match=rf"{folder} is gone\. .*models rollback.*models promote"):
        resolve(shelf.folder)


def test_a_damaged_version_is_made_anew_when_it_is_promoted(shelf: Shelf, models: tuple[Path, Path]) -> None:
    promote(shelf, models[0])
    (shelf.champion_folder() / "model.safetensors").write_bytes(b"short")

    assert not promote(shelf, models[0])
    assert check_model(shelf.champion_folder()) == check_model(models[0])


def test_a_model_other_than_the_one_decided_on_is_not_promoted(shelf: Shelf, models: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match=rf"holds the model {model_digest(models[0])[:12]} by now, not aaaa"):
        shelf.promote(models[0], CARD, decision(A))

    assert shelf.history() == []
    assert not (shelf.folder / "versions").exists()


def test_a_model_that_changes_while_it_is_copied_is_not_promoted(
    shelf: Shelf, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_the_other(source: Path, target: Path) -> None:
        target.write_bytes((models[1] / source.name).read_bytes())

    monkeypatch.setattr("shutil.copyfile", copy_the_other)

    with pytest.raises(ModelError, match="was changed while it was copied"):
        promote(shelf, models[0])
    assert shelf.history() == []


def test_a_promotion_killed_in_the_middle_is_finished_by_the_next(
    shelf: Shelf, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    for place in ("shutil.copyfile", "pathlib.Path.rename", "pathlib.Path.replace"):
        monkeypatch.setattr(place, die)
        with pytest.raises(KeyboardInterrupt):
            promote(shelf, models[0])
        monkeypatch.undo()
        assert shelf.history() == []

    assert promote(shelf, models[0])
    assert check_model(shelf.champion_folder()) == check_model(models[0])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe", "codec can't decode"),
        (b"[]", "it should hold format 1 and a history"),
        (b'{"format": 2, "history": []}', "it should hold format 1 and a history"),
        (b'{"format": 1, "history": [{"action": "crowned"}]}', "action: Input should be 'promoted'"),
    ],
)
def test_a_damaged_history_says_so_and_is_never_written_over(shelf: Shelf, content: bytes, problem: str) -> None:
    shelf.folder.mkdir(parents=True)
    shelf.pointer.write_bytes(content)

    with pytest.raises(ModelError, match=rf"champion\.json is damaged: .*{problem}.* move it away"):
        resolve(shelf.folder)
    with pytest.raises(ModelError):
        shelf.record(decision(A))
    assert shelf.pointer.read_bytes() == content


def test_a_decision_names_its_model_in_full() -> None:
    with pytest.raises(ValidationError, match="model"):
        decision("abc")


def test_decisions_of_two_processes_at_once_are_all_in_the_history(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), letter], env=environment) for letter in "ab"
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]

    history = Shelf(tmp_path / "models" / "de-en").history()

    for letter in "ab":
        assert [entry.name for entry in history if entry.model == letter * 32] == [str(n) for n in range(20)]


def test_readers_see_the_history_before_or_after_a_decision_whenever_they_look(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    shelf = Shelf(tmp_path / "models" / "de-en")
    seen = []
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "a"], env=environment) as writer:
        while writer.poll() is None:
            seen.append(len(shelf.history()))

    assert seen == sorted(seen)
    assert len(shelf.history()) == 20


def test_the_folder_of_a_pair_translates_with_its_champion(shelf: Shelf, models: tuple[Path, Path]) -> None:
    runtime = RuntimeSettings(threads=1, device="cpu")
    lines = ["eins zwei", "drei vier.", "acht, sieben und sechs!"]
    for model in models:
        promote(shelf, model)

        translated = Translator.load(shelf.folder, runtime).translate(lines)

        assert translated == Translator.load(model, runtime).translate(lines)


def test_the_translate_command_follows_the_pointer_and_says_where_it_leads_nowhere(
    shelf: Shelf, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    promote(shelf, models[0])
    outputs = []
    for folder in (shelf.folder, models[0]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"eins zwei\n")))
        assert command.main(["translate", str(folder), "--threads", "1", "--device", "cpu"]) == 0
        outputs.append(capsysbinary.readouterr().out)
    assert outputs[0] == outputs[1]

    shutil.rmtree(shelf.champion_folder())
    assert command.main(["translate", str(shelf.folder)]) == 2
    assert b"is gone. `python -m flows models rollback`" in capsysbinary.readouterr().err


@pytest.mark.parametrize("name", ["versions", "champion.json"])
def test_no_model_takes_a_name_that_the_folder_of_its_pair_needs(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is a name that the folder of a language pair needs"):
        validate_config({"name": name})


def test_a_pair_without_a_champion_names_its_models(shelf: Shelf) -> None:
    write_tiny_model(shelf.folder / "tiny")

    with pytest.raises(ModelError, match=r"\(tiny\), and none is the champion yet: .*models promote de-en MODEL"):
        Translator.load(shelf.folder)


def test_a_model_folder_stands_for_itself(models: tuple[Path, Path], tmp_path: Path) -> None:
    assert resolve(models[0]) == models[0]
    assert resolve(tmp_path / "nowhere") == tmp_path / "nowhere"
