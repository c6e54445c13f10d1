"""The demo corpus as a whole: splits, sizes, words, and that each language determines the other."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import islice
from random import Random

import pytest

from seq2seq.corpora.demo import grammar, lexicon
from seq2seq.corpora.demo.clauses import people
from seq2seq.corpora.demo.grammar import LONGEST, SHORTEST, generate, split_of
from seq2seq.corpora.demo.korean import realise_korean
from seq2seq.corpora.demo.lexemes import Adverb, Noun, Numeral, Position, Predicate, Role
from seq2seq.corpora.demo.sampling import Sampler
from seq2seq.corpora.demo.tree import NounPhrase, Sentence
from seq2seq.errors import CorpusError

LEXICON = (
    *lexicon.NOUNS.values(), *lexicon.VERBS.values(), *lexicon.ADJECTIVES.values(), *lexicon.ADVERBS.values(),
    *lexicon.PRONOUNS, *lexicon.TIMES, *lexicon.SEASONS, *lexicon.FREQUENCIES, *lexicon.DEGREES, *lexicon.POSITIONS,
    *lexicon.NUMERALS[:10], *lexicon.TENS, *lexicon.WEATHER_VERBS,
    lexicon.WHO, lexicon.WHAT, lexicon.WHEN, lexicon.WHERE_AT, lexicon.WHERE_TO, lexicon.WHY, lexicon.HOW, lexicon.NOW,
    lexicon.BE, lexicon.BE_AT, lexicon.THERE_IS, lexicon.HAVE,
)  # fmt: skip
COUNTERS = {noun.counter.korean for noun in lexicon.NOUNS.values() if noun.counter}


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    """As many as the corpus has by default, all different."""
    sampler = Sampler(Random(1))
    found: dict[str, Sentence] = {}
    while len(found) < 12_000:
        sentence = sampler.sentence()
        korean = realise_korean(sentence)
        if len(korean.split()) >= SHORTEST:
            found.setdefault(korean, sentence)
    return list(found.values())


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[tuple[str, str]]]:
    return generate(3_000, 100, 100, seed=1)


def words_of(tree: object) -> Iterator[object]:
    """Every entry of the lexicon that a tree uses, and the counters."""
    if isinstance(tree, Noun | Predicate | Adverb | Numeral | Position):
        yield tree
    elif isinstance(tree, tuple):
        for branch in tree:
            yield from words_of(branch)
    elif is_dataclass(tree):
        if isinstance(tree, NounPhrase) and tree.quantity and tree.noun.counter:
            yield tree.noun.counter.korean
        for part in fields(tree):
            yield from words_of(getattr(tree, part.name))


def test_the_splits_have_the_sizes_that_were_asked_for(corpus):
    assert {split: len(pairs) for split, pairs in corpus.items()} == {"train": 3_000, "valid": 100, "test": 100}


def test_a_seed_gives_the_same_pairs_again_and_another_seed_gives_others(corpus):
    assert generate(3_000, 100, 100, seed=1) == corpus
    assert generate(3_000, 100, 100, seed=2)["train"] != corpus["train"]


def test_the_pairs_do_not_depend_on_the_hash_seed_of_the_process():
    code = "from seq2seq.corpora.demo.grammar import generate; print(generate(50, 5, 5, seed=1))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "7")
    }
    assert len(printed) == 1


def test_no_sentence_of_either_language_is_in_two_splits_or_twice_in_one(corpus):
    for side in (0, 1):
        sentences = [pair[side] for pairs in corpus.values() for pair in pairs]
        assert len(set(sentences)) == len(sentences)


def test_the_split_is_a_property_of_the_sentence(corpus):
    for split, pairs in corpus.items():
        assert {split_of(english) for _, english in pairs} == {split}


@pytest.mark.parametrize("sizes", [(500, 100, 100), (3_000, 7, 100), (3_000, 100, 1)])
def test_the_size_of_one_split_does_not_change_the_others(corpus, sizes):
    smaller = generate(*sizes, seed=1)
    for split, size in zip(("train", "valid", "test"), sizes, strict=True):
        assert smaller[split] == corpus[split][:size]


def test_every_sentence_has_three_to_twenty_words_in_both_languages(corpus):
    lengths = {len(text.split()) for pairs in corpus.values() for pair in pairs for text in pair}
    assert min(lengths) == SHORTEST == 3
    assert max(lengths) <= LONGEST == 20


def test_the_english_sentences_are_short_on_average(corpus):
    lengths = [len(english.split()) for _, english in corpus["train"]]
    assert 6.5 <= sum(lengths) / len(lengths) <= 9


def test_each_language_determines_the_other():
    pairs = set(islice(grammar._pairs(seed=5), 50_000))
    for side in (0, 1):
        repeated = [text for text, times in Counter(pair[side] for pair in pairs).items() if times > 1]
        assert repeated == []


def test_sentences_are_written_as_sentences(corpus):
    for korean, english in corpus["train"]:
        assert english[0].isupper()
        assert english[-1] == korean[-1]
        assert korean[-1] in ".?"
        assert "  " not in korean + english


def test_the_lexicon_has_at_least_300_words():
    assert len({(word.korean, word.english) for word in LEXICON}) + len(COUNTERS) >= 300


def test_every_word_occurs_at_least_20_times_in_the_default_training_set(sentences):
    seen = Counter(word for sentence in sentences for word in words_of(sentence))
    rare = {getattr(word, "korean", word): seen[word] for word in (*LEXICON, *COUNTERS) if seen[word] < 20}
    assert rare == {}


def test_nobody_does_anything_to_themselves(sentences):
    with_both = 0
    for sentence in sentences:
        doers = set(people(sentence.main.subject))
        others = {person for phrase in sentence.main.roles.values() for person in people(phrase)}
        with_both += bool(doers and others)
        assert not doers & others
    assert with_both > 20


def test_a_selection_of_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match="'용'"):
        lexicon.select("animal 용")


def test_all_selections_of_the_lexicon_name_something():
    for verb in lexicon.VERBS.values():
        assert lexicon.select(verb.subjects)
        for role, selection in (*verb.needs.items(), *verb.may.items()):
            assert all(word in lexicon.ADVERBS for word in selection.split()) if role is Role.MANNER else True
            assert role is Role.MANNER or lexicon.select(selection)
    for adjective in lexicon.ADJECTIVES.values():
        assert lexicon.select(adjective.describes)


def test_a_grammar_that_runs_dry_says_how_far_it_came(monkeypatch):
    pairs = [("비가 왔어요.", "It rained."), ("눈이 왔어요.", "It snowed."), ("눈이 와요.", "It snows.")]
    train = sum(split_of(english) == "train" for _, english in pairs)
    monkeypatch.setattr(grammar, "_pairs", lambda seed: (pair for _ in iter(int, 1) for pair in pairs))
    monkeypatch.setattr(grammar, "_PATIENCE", 30)
    with pytest.raises(CorpusError, match=f"gave {train} different pairs of the 1,000 that corpus.train_pairs asks"):
        generate(1_000, 0, 0, seed=1)
