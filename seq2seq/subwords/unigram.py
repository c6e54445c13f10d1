"""Subwords by a unigram language model: Kudo 2018, "Subword Regularization", section 3.2.

A word's probability is the sum over all ways to cut it of the product of the parts' probabilities. Expectation
maximisation finds the probabilities of far too many candidates, and round by round those go whose removal costs
the least likelihood.

The trainers of `tokenizers` and of SentencePiece are not used. Both look for candidates in the list of different
words, where each occurs once, and so never consider most whole words: at 8,000 subwords on Multi30k German they cut
a word into 1.47 subwords, this one into 1.23 (LAB.md). That of `tokenizers` also adds numbers in the order of a hash
map, so that no two of its trainings give equal bytes. Here equal counts give equal scores.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq.subwords.lattice import LONGEST, Floats, Lattice

MOST_WORDS = 200_000
"""Different words that are learned from, at most: the most frequent ones."""
CANDIDATES_PER_SUBWORD = 10
KEPT_PER_ROUND = 0.75
PASSES_PER_ROUND = 2
SMALLEST_COUNT = 0.5
"""Expected occurrences below which a subword is of no use; a character stays, as if it had so many."""
DECIMALS = 4


def learn_unigram(counts: Mapping[str, int], size: int) -> list[tuple[str, float]]:
    """At most `size` subwords of counted words, with their natural log-probabilities, the most probable first.

    Every character of the words is among them, whatever its frequency: `size` must leave room for all.
    """
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_WORDS]
    alphabet = {character for word in counts for character in word}
    subwords, occurrences = _candidates(frequent, alphabet, CANDIDATES_PER_SUBWORD * size)
    words = Lattice.over([word for word, _ in frequent], subwords)
    weights = np.array([count for _, count in frequent], dtype=np.float64)
    others = Lattice.over(subwords, subwords).without_whole_texts()
    single = np.array([len(subword) == 1 for subword in subwords])
    alive = np.arange(len(subwords))
    expected, scores = _refined(words, _log_shares(occurrences), weights)
    while len(alive) > size:
        without = np.where(single[alive], -np.inf, others.best_scores(scores)[alive])
        losses = np.maximum(expected, SMALLEST_COUNT) * (scores - without)
        fewer = max(size, int(KEPT_PER_ROUND * len(alive)))
        chosen = np.sort(np.argsort(-losses, kind="stable")[:fewer])
        words, others, alive = words.limited_to(chosen), others.limited_to(chosen), alive[chosen]
        expected, scores = _refined(words, scores[chosen], weights)
    useful = single[alive] | (expected >= SMALLEST_COUNT)
    learned = [(subwords[alive[n]], round(float(scores[n]), DECIMALS)) for n in np.flatnonzero(useful)]
    return sorted(learned, key=lambda item: (-item[1], item[0]))


def _refined(words: Lattice, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Expected occurrences and log-probabilities of the subwords after some passes of expectation maximisation."""
    for _ in range(PASSES_PER_ROUND):
        expected = words.expected_counts(scores, weights)
        scores = _log_shares(np.maximum(expected, SMALLEST_COUNT))
    return expected, scores


def _log_shares(amounts: Floats) -> Floats:
    shares: Floats = np.log(amounts / amounts.sum())
    return shares


def _candidates(words: Sequence[tuple[str, int]], alphabet: set[str], most: int) -> tuple[list[str], Floats]:
    """Substrings that occur more than once, those that cover the most text, and all characters; in text order.

    Lengths are counted one after another, and only what goes on from a repeated beginning: nothing else can repeat. In
    a language without spaces most substrings of its clauses occur once, and all of them would not fit into memory.
    """
    occurrences: Counter[str] = Counter(dict.fromkeys(alphabet, 0))
    for word, count in words:
        for character in word:
            occurrences[character] += count
    shorter = {character for character, count in occurrences.items() if count > 1}
    repeated: list[str] = []
    for length in range(2, LONGEST + 1):
        longer: Counter[str] = Counter()
        for word, count in words:
            for start in range(len(word) - length + 1):
                if word[start : start + length - 1] in shorter:
                    longer[word[start : start + length]] += count
        again = {text: count for text, count in longer.items() if count > 1}
        occurrences.update(again)
        repeated.extend(again)
        shorter = set(again)
    repeated.sort(key=lambda text: (-occurrences[text] * len(text), text))
    chosen = sorted(alphabet.union(repeated[:most]))
    return chosen, np.array([max(occurrences[text], 1) for text in chosen], dtype=np.float64)
