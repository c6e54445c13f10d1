import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.fetching import fetch, identity
from seq2seq.corpora.held_out import hold_out
from seq2seq.corpora.pairs import Pairs, pairs_of, read_pairs
from seq2seq.errors import CorpusError
from seq2seq.pipeline import Job
from seq2seq.settings.corpus import CorpusSettings

WORDS = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht"]


def corpus(count: int, seed: int = 1) -> list[tuple[str, str]]:
    chosen = random.Random(seed)
    return [(" ".join(chosen.choices(WORDS, k=chosen.randint(3, 9))), f"target {n}") for n in range(count)]


def as_pairs(rows: list[tuple[str, str]]) -> Pairs:
    return pairs_of("de", "en", *zip(*rows, strict=True))


def rows_of(pairs: Pairs) -> list[tuple[str, str]]:
    return list(zip(pairs.texts("source"), pairs.texts("target"), strict=True))


SOURCES = ["a", "A ", "b", "c", "d e", "f", "g", "h", "i", "j", "", " "]


@given(st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from("xyz ")), min_size=12))
def test_every_pair_is_in_one_split_and_no_source_in_two(rows: list[tuple[str, str]]) -> None:
    counts = {"test": 1, "valid": 2}
    try:
        splits = hold_out(as_pairs(rows), counts)
    except CorpusError:
        return
    assert Counter(pair for split in splits.values() for pair in rows_of(split)) == Counter(rows)
    sources = {
        name: {source.strip().lower() for source, target in rows_of(split) if source.strip() and target.strip()}
        for name, split in splits.items()
    }
    assert not sources["test"] & sources["valid"]
    assert not sources["train"] & (sources["test"] | sources["valid"])
    for name, count in counts.items():
        assert len(splits[name]) >= count
        assert all(source.strip() and target.strip() for source, target in rows_of(splits[name]))


def test_the_order_of_the_pairs_does_not_matter_and_a_split_more_changes_none_of_the_others() -> None:
    rows = corpus(500)
    first = hold_out(as_pairs(rows), {"test": 50, "valid": 30})
    again = hold_out(as_pairs(random.Random(2).sample(rows, len(rows))), {"test": 50})
    assert sorted(rows_of(first["test"])) == sorted(rows_of(again["test"]))
    assert 50 <= len(first["test"]) < 60 > 30 <= len(first["valid"]) < 40


def test_of_a_corpus_that_grew_only_new_pairs_come_in() -> None:
    rows, more = corpus(1000), [(f"{source} mehr", target) for source, target in corpus(300, seed=9)]
    before, after = (set(rows_of(hold_out(as_pairs(one), {"test": 100})["test"])) for one in (rows, rows + more))
    assert after - before <= set(more)
    assert len(after & before) > 60


@pytest.mark.parametrize("word", ["ja .", "nein .", "danke .", "gut .", "hallo ."])
@pytest.mark.parametrize("repeated", [6, 300])
def test_a_sentence_that_is_there_very_often_stays_in_training(word: str, repeated: int) -> None:
    rows = [(word, f"target {n}") for n in range(repeated)] + corpus(300)
    splits = hold_out(as_pairs(rows), {"test": 100, "valid": 50})
    assert sum(source == word for source, _ in rows_of(splits["train"])) == repeated


def test_what_is_very_often_depends_on_the_size_of_the_split() -> None:
    rows = [(source, f"{target} {n}") for source, target in corpus(400) for n in range(7)]
    assert len(hold_out(as_pairs(rows), {"test": 700})["test"]) >= 700
    with pytest.raises(CorpusError):
        hold_out(as_pairs(rows), {"test": 600})


@pytest.mark.parametrize("rows", [corpus(19), [("ja .", str(n)) for n in range(100)]], ids=["few", "one source"])
def test_too_few_pairs_are_an_error_with_the_numbers(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(CorpusError, match=rf"has {len(rows)} pairs, and 6 for test and 4 for valid.*test_pairs"):
        hold_out(as_pairs(rows), {"test": 6, "valid": 4})


def settings(folder: Path, **changes: object) -> CorpusSettings:
    values = {"kind": "files", "directory": str(folder), "source_language": "de", "target_language": "en"}
    small = {"train": "all", "valid": "", "test": "", "valid_pairs": 10, "test_pairs": 20}
    return CorpusSettings.model_validate({**values, **small, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = ["de\ten", *("\t".join(row) for row in corpus(200))]
    (tmp_path / "all.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def fetched(folder: Path, corpus: CorpusSettings) -> tuple[dict[str, int], Path]:
    into = folder / "fetch"
    into.mkdir()
    statistics = fetch(corpus, Job(into, folder / "checkpoints"))
    return {split: one["pairs"] for split, one in statistics["splits"].items()}, into


def test_splits_without_a_name_are_held_out_of_the_training_split(folder: Path) -> None:
    counts, into = fetched(folder, settings(folder))
    assert counts.keys() == {"train", "valid", "test"}
    assert sum(counts.values()) == 200
    assert (10 <= counts["valid"] < 15, 20 <= counts["test"] < 25) == (True, True)
    splits = {split: rows_of(read_pairs(into / f"{split}.arrow")) for split in counts}
    assert sorted(pair for rows in splits.values() for pair in rows) == sorted(corpus(200))


def test_without_a_training_split_nothing_is_held_out(folder: Path) -> None:
    counts, _ = fetched(folder, settings(folder, train="", test="all"))
    assert counts == {"test": 200}


def test_how_many_are_held_out_enters_the_identity_where_some_are(folder: Path) -> None:
    def with_pairs(count: int, **changes: object) -> object:
        return identity(settings(folder, test_pairs=count, **changes))

    assert with_pairs(20) != with_pairs(21)
    assert with_pairs(20, test="all") == with_pairs(21, test="all")
    assert with_pairs(20) != with_pairs(20, valid="all")
