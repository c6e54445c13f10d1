"""Words cut into subwords at random, anew in each epoch: a model sees their parts, and rare subwords more often.

* bpe: BPE-dropout (Provilkov et al. 2020, section 3): merges are applied in the order in which they were learned, but
  before each one, every merge that could be made just then is left out with some probability.
* unigram: subword regularisation (Kudo 2018, section 3.2): a cut of probability P under the language model is drawn
  in proportion to P^(1 / temperature).

All words are cut at once by array operations, and the draws come from a seeded generator, which the dropout of
`tokenizers` has not (it also merges more: it tries a merge that was left out again without a new one between). A word
that occurs often is cut `MOST_CUTS` times in an epoch, and each occurrence takes one of these cuts: every occurrence
has the exact distribution, only that some share a draw.

Shapes in names: R words to cut, C characters of a word, or parts that are left of them.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from seq2seq.errors import ConfigError
from seq2seq.ragged import Indices, Ragged
from seq2seq.subwords.lattice import Lattice

MOST_CUTS = 256
"""Draws for one word in one epoch, at most. Fewer let the lengths of epochs differ more (16: 0.9 %, 256: 0.25 %)."""
NEVER = np.iinfo(np.int64).max
"""Rank of a merge that does not exist."""


class Segmenter(Protocol):
    """Knows the different words of a split, by number, and how to cut them."""

    def sample(self, words_R: Indices, generator: np.random.Generator) -> Ragged:
        """Token ids of one random cut of each of these words; a word may be asked for several times."""
        ...


class SubwordSampler:
    """The sentences of a split, whose words are cut anew at each call of `sample`."""

    def __init__(
        self,
        sentences: Ragged,
        begins: NDArray[np.bool_],
        tokenizer: Tokenizer,
        dropout: float = 0.0,
        temperature: float = 0.0,
    ) -> None:
        """`sentences` as the tokenizer cuts them; `begins` says of each token whether it is the first of its word.

        `dropout` is for bpe, `temperature` for unigram. Raises ConfigError when the tokenizer is not of that kind.
        """
        starts = np.append(np.flatnonzero(begins), len(begins))
        occurrences = Ragged(sentences.ids, starts)
        self._words, different = _numbered(occurrences)
        self._cuts = np.minimum(np.bincount(self._words), MOST_CUTS)
        self._sentence_starts = np.searchsorted(starts, sentences.starts)
        self._segmenter = make_segmenter(tokenizer, different, dropout, temperature)

    def sample(self, generator: np.random.Generator) -> Ragged:
        """The sentences, cut at random."""
        cuts = self._segmenter.sample(np.repeat(np.arange(len(self._cuts)), self._cuts), generator)
        first_cuts = np.cumsum(self._cuts) - self._cuts
        drawn = (generator.random(len(self._words)) * self._cuts[self._words]).astype(np.int64)
        words = cuts.take(first_cuts[self._words] + drawn)
        return Ragged(words.ids, words.starts[self._sentence_starts])


def _numbered(occurrences: Ragged) -> tuple[Indices, Ragged]:
    """Number of each sequence among the different ones, and these, in the order in which they first occur."""
    width, raw, starts = occurrences.ids.itemsize, occurrences.ids.tobytes(), occurrences.starts.data
    numbers: defaultdict[bytes, int] = defaultdict(lambda: len(numbers))
    found = (numbers[raw[width * start : width * end]] for start, end in pairwise(starts))
    words = np.fromiter(found, np.int64, len(occurrences))
    return words, occurrences.take(np.unique(words, return_index=True)[1])


def make_segmenter(tokenizer: Tokenizer, words: Ragged, dropout: float, temperature: float) -> Segmenter:
    """What cuts `words`, which are given as the tokenizer cuts them. Raises ConfigError.

    Tokens that stand for no text (unknown ones, language tags) stay as they are.
    """
    model = json.loads(tokenizer.to_str())["model"]
    if model["type"] == "BPE" and not temperature:
        return BytePairDropout.over(words, model["vocab"], model["merges"], dropout)
    if model["type"] == "Unigram" and not dropout and temperature:
        return UnigramSampler.over(words, model["vocab"], temperature)
    raise ConfigError(
        f"training.subword_dropout = {dropout:g} is for vocabulary.kind = bpe, training.subword_temperature = "
        f"{temperature:g} for unigram, and this vocabulary is of neither kind or of the other: set what does not fit "
        "to 0, or change vocabulary.kind."
    )


@dataclass(frozen=True)
class BytePairDropout:
    """BPE-dropout of a list of words."""

    characters: Ragged
    """Each word as ids of its characters."""
    pairs: Indices
    """Each merge as `left * vocabulary_size + right`, in rising order after a first -1, which is none."""
    ranks: Indices
    """When each of these merges was learned: 0 is the first, NEVER belongs to -1."""
    merged: Indices
    """Id of what a merge makes, by rank."""
    vocabulary_size: int
    dropout: float

    @classmethod
    def over(
        cls, words: Ragged, vocabulary: Mapping[str, int], merges: list[tuple[str, str]], dropout: float
    ) -> "BytePairDropout":
        """`vocabulary` and `merges` (in the order of learning) are the tokenizer's."""
        made = [(vocabulary[left], vocabulary[right], vocabulary[left + right]) for left, right in merges]
        spelling = {number: [number] for number in vocabulary.values()}
        for left, right, whole in made:
            spelling[whole] = spelling[left] + spelling[right]
        characters = [[part for token in words[row].tolist() for part in spelling[token]] for row in range(len(words))]
        lefts, rights, merged = np.array(made, dtype=np.int64).reshape(-1, 3).T
        pairs = lefts * len(vocabulary) + rights
        order = np.argsort(pairs)
        pairs, ranks = np.append(-1, pairs[order]), np.append(NEVER, order)
        return cls(Ragged.of_lists(characters), pairs, ranks, merged, len(vocabulary), dropout)

    def sample(self, words_R: Indices, generator: np.random.Generator) -> Ragged:
        """See `Segmenter`. Each merge leaves a word one part shorter: words of as many parts are merged together,
        beginning with the longest.
        """
        lengths_R = self.characters.lengths[words_R]
        longest = int(lengths_R.max(initial=0))
        rows, parts_RC = np.empty(0, np.int64), np.empty((0, longest), np.int64)
        finished: list[tuple[Indices, Indices]] = []
        for length in range(longest, 0, -1):
            new = np.flatnonzero(lengths_R == length)
            starts = self.characters.starts[words_R[new]]
            new_parts = self.characters.ids[starts[:, None] + np.arange(length)]
            rows, parts_RC = np.concatenate((rows, new)), np.concatenate((parts_RC, new_parts))
            ranks_R, places_R = self._next_merges(parts_RC, generator)
            goes_on = ranks_R != NEVER
            finished.append((rows[~goes_on], parts_RC[~goes_on]))
            rows = rows[goes_on]
            parts_RC = self._merge(parts_RC[goes_on], ranks_R[goes_on], places_R[goes_on])
        return _in_order(finished, len(words_R))

    def _next_merges(self, parts_RC: Indices, generator: np.random.Generator) -> tuple[Indices, Indices]:
        """Rank and place of the merge to make in each row, the leftmost of equals; NEVER where none is left."""
        ranks_RC = np.full(parts_RC.shape, NEVER)
        pairs = parts_RC[:, :-1] * self.vocabulary_size + parts_RC[:, 1:]
        nearest = np.searchsorted(self.pairs, pairs, side="right") - 1
        kept = (self.pairs[nearest] == pairs) & (generator.random(pairs.shape, np.float32) >= self.dropout)
        ranks_RC[:, :-1][kept] = self.ranks[nearest[kept]]
        places_R = ranks_RC.argmin(1)
        return ranks_RC[np.arange(len(places_R)), places_R], places_R

    def _merge(self, parts_RC: Indices, ranks_R: Indices, places_R: Indices) -> Indices:
        """The rows, one part shorter: part `places_R` and the next are one."""
        rows = np.arange(len(parts_RC))
        parts_RC[rows, places_R] = self.merged[ranks_R]
        stays = np.ones(parts_RC.shape, dtype=np.bool_)
        stays[rows, places_R + 1] = False
        return parts_RC[stays].reshape(len(rows), parts_RC.shape[1] - 1)


def _in_order(finished: list[tuple[Indices, Indices]], count: int) -> Ragged:
    """Sequences from groups of equally long ones, each group with the places of its sequences."""
    lengths = np.zeros(count, dtype=np.int64)
    for rows, parts_RC in finished:
        lengths[rows] = parts_RC.shape[1]
    result = Ragged.of_lengths(np.empty(lengths.sum(), dtype=np.int32), lengths)
    for rows, parts_RC in finished:
        result.ids[result.starts[rows][:, None] + np.arange(parts_RC.shape[1])] = parts_RC
    return result


@dataclass(frozen=True)
class UnigramSampler:
    """Forward filtering, backward sampling (Kudo 2018, section 3.2, with l = infinity) in a list of words.

    From a word's end one goes back along an edge of its lattice to the place where the last subword begins, with the
    probability that all ways there have together, and so on to the word's beginning.
    """

    lattice: Lattice
    """Of all words, its edges sorted by their ends. Subwords are token ids."""
    cumulative: NDArray[np.float64]
    """Running sum of the edges' probabilities, given the place where they end."""
    edge_starts: Indices
    """For each node the first of the edges that end there; one more entry than nodes."""

    @classmethod
    def over(cls, words: Ragged, vocabulary: list[tuple[str, float]], temperature: float) -> "UnigramSampler":
        """`vocabulary` is the tokenizer's: tokens with log-probabilities, 0 for those that stand for no text."""
        # Control characters stand for tokens without text: tokenization leaves none in a word.
        subwords = [token if score else chr(number) for number, (token, score) in enumerate(vocabulary)]
        texts = ["".join(subwords[token] for token in words[row].tolist()) for row in range(len(words))]
        lattice = Lattice.over(texts, subwords).sorted_by_end()
        scores = np.array([score for _, score in vocabulary]) / temperature
        before = lattice.log_sums(scores)
        shares = np.exp(before[lattice.starts] + scores[lattice.subwords] - before[lattice.ends])
        edge_starts = np.searchsorted(lattice.ends, np.arange(len(before) + 1))
        return cls(lattice, np.concatenate(([0], np.cumsum(shares))), edge_starts)

    def sample(self, words_R: Indices, generator: np.random.Generator) -> Ragged:
        """See `Segmenter`."""
        rows, nodes = np.arange(len(words_R)), self.lattice.last[words_R]
        lengths = np.zeros(len(words_R), dtype=np.int64)
        steps: list[tuple[Indices, Indices]] = []
        while len(rows):
            edges = self._draw(nodes, generator)
            lengths[rows] += 1
            steps.append((rows, self.lattice.subwords[edges]))
            nodes = self.lattice.starts[edges]
            goes_on = nodes != self.lattice.first[words_R[rows]]
            rows, nodes = rows[goes_on], nodes[goes_on]
        result = Ragged.of_lengths(np.empty(lengths.sum(), dtype=np.int32), lengths)
        for step, (rows, subwords) in enumerate(steps, 1):
            result.ids[result.starts[rows + 1] - step] = subwords
        return result

    def _draw(self, nodes: Indices, generator: np.random.Generator) -> Indices:
        """An edge that ends at each of these nodes."""
        begin, end = self.edge_starts[nodes], self.edge_starts[nodes + 1]
        low, high = self.cumulative[begin], self.cumulative[end]
        drawn = low + (high - low) * generator.random(len(nodes))
        edges: Indices = np.searchsorted(self.cumulative, drawn, side="right") - 1
        return np.clip(edges, begin, end - 1)
