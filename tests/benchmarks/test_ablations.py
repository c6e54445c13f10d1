"""Trainings that differ in one setting are each done once, and compared with the preset of the same seed."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.ablations import BASE, VARIANTS, measure
from seq2seq.config import load_config

SMALL = (
    *("vocabulary.size=100", "vocabulary.min_frequency=1", "training.warmup_steps=1", "training.batch_tokens=200"),
    *("model.embedding_size=8", "model.encoder_hidden_size=4", "model.decoder_hidden_size=8"),
)


@pytest.fixture
def corpus(tmp_path: Path, tiny_project: Path) -> Path:
    folder = tmp_path / "corpus"
    shutil.copytree(tiny_project / "corpus", folder)
    for language in ("de", "en"):
        (folder / f"test.{language}").rename(folder / f"test_2016_flickr.{language}")
    return folder


def test_a_variant_stands_beside_the_preset_of_its_seeds_and_no_training_is_done_twice(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    measure(work, corpus, updates=3, seeds="1,2", only=f"{BASE},gru", settings=SMALL)

    results = sorted((work / "results").glob("*.json"))
    told = {(result["variant"], result["seed"]): result for result in map(json.loads, map(Path.read_text, results))}
    assert told.keys() == {(BASE, 1), (BASE, 2), ("gru", 1), ("gru", 2)}
    assert {result["steps"] for result in told.values()} == {3}
    assert told[BASE, 1]["parameters"] > told["gru", 1]["parameters"]

    made = [path.stat().st_mtime_ns for path in results]
    capsys.readouterr()
    measure(work, corpus, updates=3, seeds="1,2", only=f"{BASE},gru", settings=SMALL)

    assert [path.stat().st_mtime_ns for path in sorted((work / "results").glob("*.json"))] == made
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[:2] for row in rows] == [[f"| {BASE}", "2"], ["| gru", "2"]]


@pytest.mark.parametrize("settings", [settings for name, settings in VARIANTS.items() if name != BASE])
def test_each_variant_changes_the_preset(settings: tuple[str, ...]) -> None:
    assert load_config("multi30k", settings) != load_config("multi30k", [])


def test_a_variant_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path, corpus: Path) -> None:
    assert not any("," in name for name in VARIANTS)
    with pytest.raises(SystemExit, match=r"No variant is called 'rnn'\. There are: preset, "):
        measure(tmp_path / "work", corpus, only=f"{BASE},rnn")
