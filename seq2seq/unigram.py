"""Subwords by a unigram language model: Kudo 2018, "Subword Regularization", section 3.2.

A word's probability is the sum over all ways to cut it of the product of the parts' probabilities. Expectation
maximisation finds the probabilities of far too many candidates, and round by round those go whose removal costs
the least likelihood.

The trainers of `tokenizers` and of SentencePiece are not used. Both look for candidates in the list of different
words, where each occurs once, and so never consider most whole words: at 8,000 subwords on Multi30k German they cut
a word into 1.47 subwords, this one into 1.23 (LAB.md). That of `tokenizers` also adds numbers in the order of a hash
map, so that no two of its trainings give equal bytes. Here equal counts give equal scores.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LONGEST = 16
"""Characters of a subword, at most."""
MOST_WORDS = 200_000
"""Different words that are learned from, at most: the most frequent ones."""
CANDIDATES_PER_SUBWORD = 10
KEPT_PER_ROUND = 0.75
PASSES_PER_ROUND = 2
SMALLEST_COUNT = 0.5
"""Expected occurrences below which a subword is of no use; a character stays, as if it had so many."""
DECIMALS = 4

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Waves = list[tuple[Indices, Indices, Indices]]


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


def _refined(words: "Lattice", scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Expected occurrences and log-probabilities of the subwords after some passes of expectation maximisation."""
    for _ in range(PASSES_PER_ROUND):
        expected = words.expected_counts(scores, weights)
        scores = _log_shares(np.maximum(expected, SMALLEST_COUNT))
    return expected, scores


def _log_shares(amounts: Floats) -> Floats:
    shares: Floats = np.log(amounts / amounts.sum())
    return shares


def _candidates(words: Sequence[tuple[str, int]], alphabet: set[str], most: int) -> tuple[list[str], Floats]:
    """Substrings that occur more than once, those that cover the most text, and all characters; in text order."""
    occurrences: Counter[str] = Counter(dict.fromkeys(alphabet, 0))
    for word, count in words:
        for start, end in _spans(word):
            occurrences[word[start:end]] += count
    repeated = [text for text, count in occurrences.items() if count > 1 and len(text) > 1]
    repeated.sort(key=lambda text: (-occurrences[text] * len(text), text))
    chosen = sorted(alphabet.union(repeated[:most]))
    return chosen, np.array([max(occurrences[text], 1) for text in chosen], dtype=np.float64)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    return ((start, end) for start in range(len(text)) for end in range(start + 1, min(start + LONGEST, len(text)) + 1))


@dataclass(frozen=True)
class Lattice:
    """All ways to cut texts into subwords: the places between characters are nodes, the subwords edges."""

    starts: Indices
    """Node where each edge begins."""
    ends: Indices
    subwords: Indices
    """Which subword each edge is."""
    first: Indices
    """First node of each text; its others follow."""
    last: Indices

    @classmethod
    def over(cls, texts: Sequence[str], subwords: Iterable[str]) -> "Lattice":
        """The lattice of `texts` over all of `subwords` that occur in them."""
        numbers = {subword: number for number, subword in enumerate(subwords)}
        nodes = np.cumsum([0, *(len(text) + 1 for text in texts)])
        starts, ends, found = array("q"), array("q"), array("q")
        for text, base in zip(texts, nodes.tolist(), strict=False):
            for start, end in _spans(text):
                number = numbers.get(text[start:end])
                if number is not None:
                    starts.append(base + start)
                    ends.append(base + end)
                    found.append(number)
        return cls(np.array(starts), np.array(ends), np.array(found), nodes[:-1], nodes[1:] - 1)

    def without_whole_texts(self) -> "Lattice":
        """The lattice without the edges that span a whole text."""
        whole = (self.starts == self.first[self.texts]) & (self.ends == self.last[self.texts])
        return self._with_edges(~whole, self.subwords)

    def limited_to(self, chosen: Indices) -> "Lattice":
        """The lattice with the `chosen` subwords only, which are numbered anew in that order."""
        numbers = np.full(max(int(self.subwords.max(initial=0)), int(chosen.max(initial=0))) + 1, -1)
        numbers[chosen] = np.arange(len(chosen))
        renumbered = numbers[self.subwords]
        return self._with_edges(renumbered >= 0, renumbered)

    def _with_edges(self, kept: NDArray[np.bool_], subwords: Indices) -> "Lattice":
        return replace(self, starts=self.starts[kept], ends=self.ends[kept], subwords=subwords[kept])

    @cached_property
    def texts(self) -> Indices:
        """The text of each edge."""
        return np.searchsorted(self.first, self.starts, side="right") - 1

    def expected_counts(self, scores: Floats, weights: Floats) -> Floats:
        """How often each subword occurs on average, over all ways to cut all texts (forward-backward algorithm).

        `scores`: log-probability of each subword; `weights`: how often each text occurs.
        """
        before = self._sweep(self._forward, self.starts, self.first, scores, np.logaddexp)
        after = self._sweep(self._backward, self.ends, self.last, scores, np.logaddexp)
        paths = before[self.starts] + scores[self.subwords] + after[self.ends] - before[self.last][self.texts]
        counts: Floats = np.zeros(len(scores))
        np.add.at(counts, self.subwords, np.exp(paths) * weights[self.texts])
        return counts

    def best_scores(self, scores: Floats) -> Floats:
        """Log-probability of each text's best cut; minus infinity where there is none."""
        return self._sweep(self._forward, self.starts, self.first, scores, np.maximum)[self.last]

    def _sweep(self, waves: Waves, sources: Indices, origins: Indices, scores: Floats, merge: np.ufunc) -> Floats:
        """Value of every node: `merge` over its edges of the value at their other end plus their score."""
        values = np.full(int(self.last[-1]) + 1, -np.inf)
        values[origins] = 0
        for edges, nodes, groups in waves:
            values[nodes] = merge.reduceat(values[sources[edges]] + scores[self.subwords[edges]], groups)
        return values

    @cached_property
    def _forward(self) -> Waves:
        return _waves(self.ends - self.first[self.texts], self.ends)

    @cached_property
    def _backward(self) -> Waves:
        return _waves(self.last[self.texts] - self.starts, self.starts)


def _waves(distances: Indices, nodes: Indices) -> Waves:
    """Edges by the distance of the node that they lead to: (edges, those nodes, where each node's edges begin)."""
    order = np.lexsort((nodes, distances))
    breaks = np.flatnonzero(np.diff(distances[order])) + 1
    return [(edges, *np.unique(nodes[edges], return_index=True)) for edges in np.split(order, breaks)]
