import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.cleaning import REASONS, clean, count_words, find_reasons
from seq2seq.corpora.pairs import pairs_of, read_pairs, write_pairs
from seq2seq.corpora.whitespace import fold
from seq2seq.errors import CorpusError
from seq2seq.pipeline import Job
from seq2seq.settings.cleaning import CleaningSettings
from seq2seq.storage.artifacts import Artifact

Rows = list[tuple[str, str]]
GOOD = ("Das ist gut.", "This is good.")


def cleaned(
    folder: Path, settings: CleaningSettings | None = None, **splits: Rows
) -> tuple[dict[str, Any], dict[str, Rows]]:
    """Statistics by split, and the pairs of each split that came out."""
    before, after = folder / "fetch", folder / "clean"
    for made in (before, after):
        made.mkdir()
    for split, rows in splits.items():
        source, target = zip(*rows, strict=True)
        write_pairs(before / f"{split}.arrow", pairs_of("de", "en", source, target))
    statistics = clean(settings or CleaningSettings(), Artifact(before), Job(after, folder / "checkpoints"))
    files = {path.stem: read_pairs(path).frame for path in after.iterdir()}
    return statistics["splits"], {name: list(frame.itertuples(index=False, name=None)) for name, frame in files.items()}


def dropped(folder: Path, *pairs: tuple[str, str], **settings: Any) -> dict[str, int]:
    """The reasons for which pairs were dropped from a training split that also holds a good pair."""
    statistics, _ = cleaned(folder, CleaningSettings(**settings), train=[GOOD, *pairs])
    return {reason: count for reason, count in statistics["train"]["dropped"].items() if count}


def test_good_pairs_stay_in_their_order(tmp_path: Path) -> None:
    rows = [("drei", "three"), GOOD, ("eins", "one")]
    statistics, kept = cleaned(tmp_path, train=rows)
    assert kept["train"] == rows
    assert statistics["train"] == {
        "pairs_before": 3,
        "pairs_after": 3,
        "dropped": dict.fromkeys(REASONS, 0),
        "examples": {},
    }


@pytest.mark.parametrize("pair", [("", "one"), ("eins", " \t\u3000"), ("\ufeff\x00", "one"), ("", "")])
def test_a_pair_with_an_empty_side_is_dropped_and_counted(tmp_path: Path, pair: tuple[str, str]) -> None:
    assert dropped(tmp_path, pair) == {"empty": 1}


def test_a_pair_with_too_many_words_on_either_side_is_dropped_and_counted(tmp_path: Path) -> None:
    pairs = [("eins " * 6, "one two three four five"), ("eins zwei drei", "one " * 6), ("eins " * 5, "one " * 5)]
    assert dropped(tmp_path, *pairs, max_words=5) == {"too_long": 2}


def test_a_pair_with_too_many_characters_is_dropped_and_counted(tmp_path: Path) -> None:
    pairs = [("x" * 21, "y" * 21), ("x" * 20, "y" * 20)]
    assert dropped(tmp_path, *pairs, max_characters=20) == {"too_long": 1}


def test_a_pair_of_unlike_lengths_is_dropped_and_counted(tmp_path: Path) -> None:
    pairs = [("eins zwei", "one " * 7), ("eins " * 7, "one two"), ("eins zwei", "one " * 6)]
    assert dropped(tmp_path, *pairs, max_length_ratio=3) == {"length_ratio": 2}


def test_characters_of_scripts_without_spaces_count_as_words() -> None:
    assert [count_words(text) for text in ("我喜欢猫。", "これはペンです", "한국어 문장", "a 猫 b", "")] == [
        5,
        7,
        2,
        3,
        0,
    ]


def test_only_the_first_of_equal_pairs_stays(tmp_path: Path) -> None:
    assert dropped(tmp_path, ("Das  ist gut.", "This is\tgood."), ("Das ist gut.", "That is good.")) == {"duplicate": 1}


def test_pairs_that_differ_in_unicode_composition_are_equal(tmp_path: Path) -> None:
    pair = ("Für dich.", "For you.")
    assert dropped(tmp_path, pair, (unicodedata.normalize("NFD", pair[0]), pair[1])) == {"duplicate": 1}


def test_an_untranslated_copy_is_dropped_and_counted(tmp_path: Path) -> None:
    assert dropped(tmp_path, ("This is a test", "THIS is a test"), ("이것은 시험이다", "이것은 시험이다")) == {
        "copy": 2
    }


@pytest.mark.parametrize("text", ["Berlin", "3 : 2", "1 000 000", "😀 😀"])
def test_names_numbers_and_symbols_may_be_the_same_on_both_sides(tmp_path: Path, text: str) -> None:
    assert dropped(tmp_path, (text, text)) == {}


def test_training_pairs_that_occur_in_validation_or_test_are_dropped_and_counted(tmp_path: Path) -> None:
    seen = [("eins", "one"), ("zwei", "two")]
    statistics, kept = cleaned(
        tmp_path, train=[GOOD, *seen], valid=[(" eins ", "one")], test=[seen[1], ("drei", "three")]
    )
    assert statistics["train"]["dropped"]["leak"] == 2
    assert kept["train"] == [GOOD]


def test_a_pair_with_one_side_in_the_test_set_is_no_leak(tmp_path: Path) -> None:
    _, kept = cleaned(tmp_path, train=[("eins", "one")], test=[("eins", "1"), ("1", "one")])
    assert kept["train"] == [("eins", "one")]


def test_held_out_sources_that_training_has_too_are_counted_and_both_stay(tmp_path: Path) -> None:
    train = [("ein  Hund", "a dog"), ("Café", "café"), ("leer", ""), ("zwei", "two"), ("Tu\u0308r", "door")]
    held_out = [("ein Hund", "one dog"), ("ein Hund", "the dog"), ("Cafe\u0301", "coffee"), ("leer", "empty"), ("", "")]
    held_out.append(("T\u00fcr", "gate"))
    statistics, kept = cleaned(tmp_path, train=train, valid=[("drei", "three")], test=[*held_out, train[3]])
    assert (statistics["valid"]["seen_sources"], statistics["test"]["seen_sources"]) == (0, 4)
    assert len(kept["test"]) == 7
    assert kept["train"] == [("ein Hund", "a dog"), ("Café", "café"), ("Tu\u0308r", "door")]
    (tmp_path / "alone").mkdir()
    assert "seen_sources" not in cleaned(tmp_path / "alone", test=held_out)[0]["test"]


def test_validation_and_test_pairs_are_reported_and_never_dropped(tmp_path: Path) -> None:
    held_out = [("", "one"), ("zwei", "two"), ("zwei", "two"), ("Just a copy", "Just a copy"), ("x " * 101, "y " * 101)]
    statistics, kept = cleaned(tmp_path, train=[GOOD], valid=held_out, test=held_out[:2])
    assert kept["valid"] == held_out
    assert kept["test"] == held_out[:2]
    found = {reason: count for reason, count in statistics["valid"]["reported"].items() if count}
    assert found == {"empty": 1, "too_long": 1, "duplicate": 1, "copy": 1, "leak": 1}
    assert "dropped" not in statistics["valid"]
    assert statistics["test"]["reported"] == dict.fromkeys(REASONS, 0) | {"empty": 1}


def test_training_text_is_folded_and_held_out_text_stays_raw(tmp_path: Path) -> None:
    raw = [("\ufeffDas\u00a0ist  gut. ", "This\tis\x07 good.")]
    _, kept = cleaned(tmp_path, train=[*raw, ("eins", "one")], test=[(" roh ", " raw ")])
    assert kept == {"train": [GOOD, ("eins", "one")], "test": [(" roh ", " raw ")]}


def test_a_pair_with_several_reasons_counts_under_the_first(tmp_path: Path) -> None:
    long_copy = ("so " * 9, "so " * 9)
    statistics, _ = cleaned(
        tmp_path, CleaningSettings(max_words=8), train=[GOOD, long_copy, long_copy], test=[long_copy]
    )
    assert statistics["train"]["dropped"] == dict.fromkeys(REASONS, 0) | {"too_long": 2}


@pytest.mark.parametrize(
    ("switch", "pair"),
    [
        ("drop_duplicates", GOOD),
        ("drop_copies", ("Just a copy", "Just a copy")),
        ("drop_leaks", ("eins", "one")),
    ],
)
def test_a_reason_can_be_switched_off(tmp_path: Path, switch: str, pair: tuple[str, str]) -> None:
    settings = CleaningSettings.model_validate({switch: False})
    _, kept = cleaned(tmp_path, settings, train=[GOOD, pair], test=[("eins", "one")])
    assert kept["train"] == [GOOD, pair]


def test_three_examples_of_each_reason_are_shown_shortened(tmp_path: Path) -> None:
    pairs = [(f"{number} {'x' * 100}", "") for number in range(5)]
    statistics, _ = cleaned(tmp_path, train=[GOOD, *pairs])
    assert statistics["train"]["examples"] == {"empty": [[f"{number} {'x' * 77}…", ""] for number in range(3)]}


def test_a_training_split_that_is_empty_after_cleaning_is_an_error_with_counts(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none of the 3 training pairs: empty 2, leak 1\..*cleaning\.max_words"):
        cleaned(tmp_path, train=[("", "one"), GOOD, ("", "")], test=[GOOD])


def test_a_training_split_that_is_the_test_split_too_is_told_how_pairs_are_held_out(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as raised:
        cleaned(tmp_path, train=[GOOD], test=[GOOD])
    assert str(raised.value).endswith(
        'leak 1. A leak is a validation or test pair: name other texts there, or set corpus.valid = "" and '
        'corpus.test = "", and pairs are held out of the training split.'
    )


def test_a_test_split_alone_passes_through(tmp_path: Path) -> None:
    _, kept = cleaned(tmp_path, test=[GOOD])
    assert kept == {"test": [GOOD]}


def test_every_pair_is_kept_or_counted_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    texts = st.sampled_from(["", "a", "b", "a b", "A b", "a b c d", "x" * 30])

    @given(st.lists(st.tuples(texts, texts), min_size=1), st.lists(st.tuples(texts, texts), min_size=1))
    def holds(train: Rows, test: Rows) -> None:
        folder = tmp_path_factory.mktemp("clean")
        settings = CleaningSettings(max_characters=20, max_length_ratio=2)
        statistics, kept = cleaned(folder, settings, train=[GOOD, *train], test=test)
        counts = statistics["train"]["dropped"]
        assert len(kept["train"]) + sum(counts.values()) == len(train) + 1
        assert len(set(kept["train"])) == len(kept["train"])
        assert not set(kept["train"]) & set(test)

    holds()


@given(st.text())
def test_folding_twice_is_folding_once_and_leaves_single_inner_spaces(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert folded == " ".join(folded.split())


def test_reasons_need_no_held_out_split() -> None:
    frame = pairs_of("de", "en", ["eins", ""], ["one", "two"]).frame
    assert find_reasons(frame, [], CleaningSettings()).tolist() == ["", "empty"]
