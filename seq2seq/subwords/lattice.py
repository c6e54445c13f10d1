"""All ways to cut texts into subwords at once, as one graph, and the dynamic programmes over it."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LONGEST = 16
"""Characters of a subword, at most."""

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Waves = list[tuple[Indices, Indices, Indices]]


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each part of a text that is short enough to be a subword."""
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
            for start, end in spans(text):
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

    def sorted_by_end(self) -> "Lattice":
        """The same lattice, its edges in the order of the nodes where they end."""
        order = np.argsort(self.ends, kind="stable")
        return replace(self, starts=self.starts[order], ends=self.ends[order], subwords=self.subwords[order])

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
        before = self.log_sums(scores)
        after = self._sweep(self._backward, self.ends, self.last, scores, np.logaddexp)
        paths = before[self.starts] + scores[self.subwords] + after[self.ends] - before[self.last][self.texts]
        counts: Floats = np.zeros(len(scores))
        np.add.at(counts, self.subwords, np.exp(paths) * weights[self.texts])
        return counts

    def log_sums(self, scores: Floats) -> Floats:
        """For each node, the log of the summed probability of all ways from its text's beginning to it."""
        return self._sweep(self._forward, self.starts, self.first, scores, np.logaddexp)

    def best_scores(self, scores: Floats) -> Floats:
        """Log-probability of each text's best cut; minus infinity where there is none."""
        return self._sweep(self._forward, self.starts, self.first, scores, np.maximum)[self.last]

    def _sweep(self, waves: Waves, sources: Indices, origins: Indices, scores: Floats, merge: np.ufunc) -> Floats:
        """Value of every node: `merge` over its edges of the value at their other end plus their score."""
        values = np.full(int(self.last.max(initial=-1)) + 1, -np.inf)
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
