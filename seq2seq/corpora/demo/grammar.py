"""The `demo` corpus: any number of Korean-English sentence pairs from a grammar of our own.

It proves the pipeline with no network and shows reordering (subject-object-verb against subject-verb-object).
It is no claim about real translation: the language is small, regular and unambiguous.

Covered are, in Korean: particles by the final consonant, tense, negation with 안, 못 and -지 않다, the irregular
classes ㅂ, ㄷ, ㅅ, ㅎ, 르, ㄹ and ㅡ, numerals with counters, demonstratives, possessors, relative clauses,
the progressive, ability, wish and duty, questions of all kinds, requests and proposals, existence, location and
possession, comparison, and clauses that are coordinated or that give a reason, a time, a condition, a sequence or
a purpose. Honorific forms are left out: all is said in the polite style (해요체).

The Korean determines the English: one tree is drawn and said in both languages, and nothing that English must say
is missing from the Korean or open in the rules. So a perfect score is possible.
"""

from collections.abc import Iterator
from random import Random
from zlib import crc32

from seq2seq.corpora.demo.english import realise_english
from seq2seq.corpora.demo.korean import realise_korean
from seq2seq.corpora.demo.sampling import Sampler
from seq2seq.errors import CorpusError

SHORTEST, LONGEST = 3, 20
_BUCKETS = 20
_HELD_OUT = {0: "valid", 1: "test"}
_PATIENCE = 100_000


def generate(train_pairs: int, valid_pairs: int, test_pairs: int, seed: int) -> dict[str, list[tuple[str, str]]]:
    """Pairs of a Korean and an English sentence, by split.

    Which split a sentence belongs to depends on the sentence alone, so that no sentence is in two splits and the
    size of one split does not change another. A larger split begins with the smaller one.

    Raises:
        CorpusError: the grammar gives no new sentence for a split that is not yet full.
    """
    wanted = {"train": train_pairs, "valid": valid_pairs, "test": test_pairs}
    splits: dict[str, dict[str, str]] = {split: {} for split in wanted}
    idle = 0
    for korean, english in _pairs(seed):
        if all(len(splits[split]) >= wanted[split] for split in wanted):
            break
        split = split_of(english)
        if len(splits[split]) < wanted[split] and korean not in splits[split]:
            splits[split][korean] = english
            idle = 0
        elif (idle := idle + 1) == _PATIENCE:
            raise _run_dry(splits, wanted)
    return {split: list(pairs.items()) for split, pairs in splits.items()}


def split_of(english: str) -> str:
    """The split that an English sentence belongs to: one in twenty for validation, one in twenty for the test."""
    return _HELD_OUT.get(crc32(english.encode()) % _BUCKETS, "train")


def _pairs(seed: int) -> Iterator[tuple[str, str]]:
    sampler = Sampler(Random(seed))
    while True:
        sentence = sampler.sentence()
        korean, english = realise_korean(sentence), realise_english(sentence)
        if all(SHORTEST <= len(text.split()) <= LONGEST for text in (korean, english)):
            yield korean, english


def _run_dry(splits: dict[str, dict[str, str]], wanted: dict[str, int]) -> CorpusError:
    split = next(split for split in wanted if len(splits[split]) < wanted[split])
    return CorpusError(
        f"The demo grammar gave {len(splits[split]):,} different pairs of the {wanted[split]:,} that "
        f"corpus.{split}_pairs asks for, and none in its last {_PATIENCE:,} sentences. "
        f"Set corpus.{split}_pairs to {len(splits[split])} or less."
    )
