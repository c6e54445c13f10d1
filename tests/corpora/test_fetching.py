import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2seq.corpora.fetching import can_change, fetch, identity, pin
from seq2seq.corpora.pairs import pairs_of, read_pairs, write_pairs
from seq2seq.errors import ConfigError, CorpusError
from seq2seq.pipeline import STEPS, Job, ingredients, perform
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.storage.artifacts import Workspace

DEMO = CorpusSettings(train_pairs=20, valid_pairs=4, test_pairs=6)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def fetched(folder: Path, corpus: CorpusSettings) -> tuple[dict[str, Any], Path]:
    """Statistics and the folder of the split files."""
    into = folder / "fetch"
    into.mkdir()
    return fetch(corpus, Job(into, folder / "checkpoints")), into


def files_corpus(folder: Path, **changes: str) -> CorpusSettings:
    (folder / "train.de").write_text("eins zwei\n\n", encoding="utf-8")
    (folder / "train.en").write_text("one two three\nfour\n", encoding="utf-8")
    values = {"kind": "files", "directory": str(folder), "source_language": "de", "target_language": "en"}
    return CorpusSettings.model_validate(values | {"valid": "train", "test": "train"} | changes)


def test_pairs_come_back_as_written_and_equal_pairs_give_equal_bytes(tmp_path: Path) -> None:
    pairs = pairs_of("ko", "en", ["개", "", "a\u2028b\r"], ["dog", "\x00", "😀"])
    for name in ("a", "b"):
        write_pairs(tmp_path / name, pairs)
    back = read_pairs(tmp_path / "a")
    assert (back.source_language, back.target_language) == ("ko", "en")
    assert back.frame.to_dict("list") == pairs.frame.to_dict("list")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_each_split_of_a_folder_becomes_one_file_with_statistics(tmp_path: Path) -> None:
    statistics, folder = fetched(tmp_path, files_corpus(tmp_path))
    measured = {
        "pairs": 2,
        "source_words": 2,
        "target_words": 4,
        "source_characters": 9,
        "target_characters": 17,
    }
    assert statistics == {"splits": dict.fromkeys(("train", "valid", "test"), measured)}
    assert sorted(path.name for path in folder.iterdir()) == ["test.arrow", "train.arrow", "valid.arrow"]
    assert read_pairs(folder / "train.arrow").frame["source"].tolist() == ["eins zwei", ""]


def test_the_demo_has_the_splits_that_were_asked_for(tmp_path: Path) -> None:
    statistics, folder = fetched(tmp_path, DEMO.model_copy(update={"train": "", "valid": ""}))
    assert {split: one["pairs"] for split, one in statistics["splits"].items()} == {"test": 6}
    assert [path.name for path in folder.iterdir()] == ["test.arrow"]


def test_the_demo_knows_its_splits_by_their_names(tmp_path: Path) -> None:
    as_test = DEMO.model_copy(update={"train": "", "valid": "", "test": "valid"})
    statistics, _ = fetched(tmp_path, as_test)
    assert statistics["splits"]["test"]["pairs"] == 4
    assert identity(as_test) != identity(as_test.model_copy(update={"test": "test"}))


def test_the_demo_has_no_other_splits(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no split news: set corpus\.test to one of train, valid, test"):
        fetched(tmp_path, DEMO.model_copy(update={"test": "news"}))


def test_the_demo_translates_either_way(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "back").mkdir()
    _, there = fetched(tmp_path / "there", DEMO)
    _, back = fetched(tmp_path / "back", DEMO.model_copy(update={"source_language": "en", "target_language": "ko"}))
    korean, english = (read_pairs(folder / "test.arrow").frame for folder in (there, back))
    assert korean["source"].tolist() == english["target"].tolist()
    assert korean["target"].tolist() == english["source"].tolist()


def test_the_demo_refuses_other_languages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Korean and English \(ko, en\), not de and en"):
        fetched(tmp_path, DEMO.model_copy(update={"source_language": "de"}))


def test_no_split_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name at least one split"):
        fetched(tmp_path, CorpusSettings(train="", valid="", test=""))


def test_a_hub_corpus_without_an_id_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"needs corpus\.dataset"):
        pin(CorpusSettings(kind="hub"))


def test_a_revision_that_is_a_commit_is_pinned_without_the_network() -> None:
    settings = CorpusSettings(kind="hub", dataset="owner/name", revision=COMMIT)
    assert pin(settings) == settings


@pytest.mark.parametrize("settings", [DEMO, CorpusSettings(kind="files")])
def test_only_hub_corpora_are_pinned(settings: CorpusSettings) -> None:
    assert pin(settings) is settings


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("demo", {"directory": "/elsewhere", "dataset": "owner/name", "revision": "v2", "source_column": "x"}),
        ("hub", {"directory": "/elsewhere", "train_pairs": 7, "seed": 9}),
        ("files", {"dataset": "owner/name", "revision": "v2", "train_pairs": 7, "seed": 9}),
    ],
)
def test_settings_of_other_kinds_do_not_enter_the_identity(tmp_path: Path, kind: str, changes: dict[str, Any]) -> None:
    settings = files_corpus(tmp_path).model_copy(update={"kind": kind})
    assert identity(settings) == identity(settings.model_copy(update=changes))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("demo", {"seed": 9}),
        ("demo", {"test_pairs": 9}),
        ("demo", {"test": ""}),
        ("demo", {"source_language": "en", "target_language": "ko"}),
        ("hub", {"revision": COMMIT}),
        ("hub", {"subset": "de-en"}),
        ("hub", {"dataset": "owner/other"}),
        ("hub", {"test": "test_2017"}),
        ("hub", {"target_column": "english"}),
    ],
)
def test_settings_of_its_own_kind_enter_the_identity(kind: str, changes: dict[str, Any]) -> None:
    settings = CorpusSettings.model_validate({"kind": kind, "dataset": "owner/name"})
    assert identity(settings) != identity(settings.model_copy(update=changes))


def test_files_that_are_missing_are_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="has no test"):
        identity(files_corpus(tmp_path, test="test"))


def test_files_that_change_between_hashing_and_reading_are_recorded_under_neither_content(tmp_path: Path) -> None:
    corpus, workspace = files_corpus(tmp_path), Workspace(tmp_path / "workspace")
    provenance = ingredients(STEPS["fetch"], {"corpus": corpus}, {}, identity(corpus))
    for name in ("train.de", "train.en"):
        (tmp_path / name).write_text("new\n", encoding="utf-8")

    with pytest.raises(CorpusError, match=f"{tmp_path} changed while it was read: nothing is recorded"):
        perform(STEPS["fetch"], {"corpus": corpus}, {}, workspace, provenance)

    assert list(tmp_path.glob("workspace/artifacts/fetch/*")) == []


def test_asking_for_the_identity_imports_no_heavy_library(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from seq2seq.corpora.fetching import identity\n"
        "from seq2seq.settings.corpus import CorpusSettings\n"
        "identity(CorpusSettings())\n"
        "identity(CorpusSettings.model_validate_json(sys.argv[1]))\n"
        "print([name for name in ('datasets', 'torch', 'pandas', 'numpy', 'pyarrow') if name in sys.modules])\n"
    )
    settings = files_corpus(tmp_path).model_dump_json()
    done = subprocess.run([sys.executable, "-c", program, settings], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("revision", "expected"), [("main", True), ("v2", True), (COMMIT, False)])
def test_a_commit_cannot_change(revision: str, expected: bool) -> None:
    assert can_change(CorpusSettings(kind="hub", dataset="owner/name", revision=revision)) is expected
