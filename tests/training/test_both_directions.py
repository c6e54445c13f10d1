"""One model for both directions, from its training to its use."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq import __main__ as command
from seq2seq.attention_maps import attention_map
from seq2seq.corpora.pairs import pairs_of, write_pairs
from seq2seq.errors import ModelError
from seq2seq.evaluation import evaluate
from seq2seq.pipeline import Job
from seq2seq.registry.model_folder import load_model
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.storage.artifacts import Artifact, Record, Workspace
from seq2seq.translator import Translator
from tests.training.conftest import PAIRS, prepare

GERMAN, ENGLISH = map(list, zip(*PAIRS, strict=True))
VOCABULARY = {"kind": "word", "min_frequency": 1, "joint": True, "language_tags": True}
RUNTIME = RuntimeSettings(threads=1, device="cpu")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, Record]]:
    return prepare(tmp_path_factory, VOCABULARY)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@pytest.fixture
def folder(kept: Path, train: Callable[..., Record], tmp_path: Path) -> Path:
    """A model that knows the eight pairs by heart, there and back; trained once."""
    if not (kept / "model").exists():
        record = train(vocabulary=VOCABULARY, training={"max_epochs": 80})
        (tmp_path / record.address).rename(kept / "model")
    return kept / "model"


def test_it_translates_forward_unless_asked_for_the_other_language(folder: Path) -> None:
    assert Translator.load(folder, RUNTIME).translate(GERMAN) == ENGLISH
    back = Translator.load(folder, RUNTIME, target_language="de")
    assert back.translate(ENGLISH) == GERMAN
    assert (back.config.source_language, back.config.target_language) == ("en", "de")


def test_the_tag_is_not_counted_and_a_blank_line_is_still_blank(folder: Path) -> None:
    one, blank = Translator.load(folder, RUNTIME).translate_in_detail(["eins zwei .", " "])
    assert (one.source_tokens, one.unknown_tokens) == (3, 0)
    assert blank.text == ""


def test_another_language_is_an_error_that_names_those_it_knows(folder: Path) -> None:
    with pytest.raises(ModelError, match="de to en and back, not into fr"):
        Translator.load(folder, RUNTIME, target_language="fr")


def test_the_command_takes_the_language(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{ENGLISH[0]}\n".encode())))
    assert command.main(["translate", str(folder), "--to", "de", "--threads", "1", "--device", "cpu"]) == 0
    assert capsysbinary.readouterr().out.decode() == f"{GERMAN[0]}\n"


@pytest.mark.parametrize(
    ("languages", "texts"), [(("de", "en"), PAIRS), (("en", "de"), list(zip(ENGLISH, GERMAN, strict=True)))]
)
def test_it_is_scored_in_the_direction_of_the_corpus(
    folder: Path, tmp_path: Path, languages: tuple[str, str], texts: list[tuple[str, str]]
) -> None:
    for name in ("clean", "scores"):
        (tmp_path / name).mkdir()
    write_pairs(tmp_path / "clean" / "test.arrow", pairs_of(*languages, *zip(*texts, strict=True)))
    settings = EvaluationSettings(bootstrap_samples=100)
    job = Job(tmp_path / "scores", tmp_path / "checkpoints", RUNTIME)
    scores: dict[str, Any] = evaluate(settings, Artifact(folder), Artifact(tmp_path / "clean", ("test",)), job)
    assert (scores["bleu"], scores["languages"]) == (pytest.approx(100), list(languages))
    maps = json.loads((tmp_path / "scores" / "log" / "attention.json").read_text(encoding="utf-8"))
    assert {one["source_tokens"][0] for one in maps} == {f"<2{languages[1]}>"}


def test_a_map_of_attention_shows_the_tag(folder: Path) -> None:
    shown = attention_map(load_model(folder).into("de"), ENGLISH[0], GERMAN[0])
    assert shown is not None
    assert shown.source_tokens[:2] == ["<2de>", "▁three"]
    assert {len(row) for row in shown.weights_TS} == {len(shown.source_tokens)}
