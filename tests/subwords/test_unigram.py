import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.subwords import unigram
from seq2seq.subwords.lattice import Lattice, spans
from seq2seq.subwords.unigram import learn_unigram

WORDS = Counter({"▁low": 5, "▁lower": 2, "▁newest": 6, "▁widest": 3, "▁new": 4})
COUNTS = st.dictionaries(st.text("abcd", min_size=1, max_size=8), st.integers(1, 9), min_size=1, max_size=12)


def cuts(word: str, subwords: list[str]) -> list[list[int]]:
    """All ways to cut a word, as indices of subwords."""
    if not word:
        return [[]]
    return [
        [index, *rest]
        for index, subword in enumerate(subwords)
        if word.startswith(subword)
        for rest in cuts(word[len(subword) :], subwords)
    ]


@given(counts=COUNTS)
def test_expected_counts_are_those_of_listing_all_cuts(counts: dict[str, int]) -> None:
    subwords = ["a", "ab", "abc", "b", "bc", "c", "cd", "d", "dd"]
    scores = np.log(np.arange(1, 10) / 45)
    expected = np.zeros(len(subwords))
    for word, count in counts.items():
        ways = cuts(word, subwords)
        shares = np.array([math.exp(sum(scores[index] for index in way)) for way in ways])
        for way, share in zip(ways, shares / shares.sum(), strict=True):
            for index in way:
                expected[index] += share * count
    lattice = Lattice.over(list(counts), subwords)
    found = lattice.expected_counts(scores, np.array(list(counts.values()), dtype=np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@given(counts=COUNTS)
def test_candidates_are_the_characters_and_all_that_repeats(counts: dict[str, int]) -> None:
    occurrences: Counter[str] = Counter()
    for word, count in counts.items():
        for start, end in spans(word):
            occurrences[word[start:end]] += count
    wanted = {text: count for text, count in occurrences.items() if count > 1 or len(text) == 1}
    subwords, found = unigram._candidates(list(counts.items()), set("".join(counts)), 10**6)
    assert dict(zip(subwords, found, strict=True)) == wanted


@given(counts=COUNTS)
def test_best_scores_are_those_of_listing_all_cuts(counts: dict[str, int]) -> None:
    subwords = ["a", "ab", "b", "c", "d"]
    scores = np.log([0.1, 0.3, 0.2, 0.15, 0.25])
    best = [max(sum(scores[index] for index in way) for way in cuts(word, subwords)) for word in counts]
    np.testing.assert_allclose(Lattice.over(list(counts), subwords).best_scores(scores), best)


def test_a_lattice_without_whole_texts_cuts_each_at_least_once() -> None:
    lattice = Lattice.over(["ab", "a"], ["a", "ab", "b"]).without_whole_texts()
    assert lattice.best_scores(np.log([0.2, 0.5, 0.3])).tolist() == [pytest.approx(math.log(0.06)), -math.inf]


def test_a_lattice_can_be_limited_to_some_subwords() -> None:
    lattice = Lattice.over(["abc"], ["a", "ab", "b", "c"]).limited_to(np.array([0, 2, 3]))
    assert lattice.best_scores(np.log([0.5, 0.25, 0.25])).tolist() == [pytest.approx(math.log(0.5 / 16))]


@given(counts=COUNTS, room=st.integers(0, 20))
def test_every_character_is_a_subword_and_the_size_is_kept(counts: dict[str, int], room: int) -> None:
    alphabet = {character for word in counts for character in word}
    learned = learn_unigram(counts, len(alphabet) + room)
    subwords = [subword for subword, _ in learned]
    assert alphabet <= set(subwords)
    assert len(subwords) == len(set(subwords)) <= len(alphabet) + room
    assert [score for _, score in learned] == sorted((score for _, score in learned), reverse=True)


def test_frequent_whole_words_become_subwords() -> None:
    learned = [subword for subword, _ in learn_unigram(WORDS, 16)]
    assert "▁newest" in learned
    assert "▁low" in learned


def test_words_beyond_the_limit_still_give_their_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.subwords.unigram.MOST_WORDS", 2)
    subwords = dict(learn_unigram(WORDS, 20))
    assert set("lowrnestid▁") <= set(subwords)
    assert "▁low" in subwords
    assert "▁new" not in subwords


def test_equal_counts_in_another_order_give_equal_scores() -> None:
    assert learn_unigram(WORDS, 20) == learn_unigram(dict(reversed(WORDS.items())), 20)
