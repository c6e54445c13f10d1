"""The batches of a training, epoch by epoch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from seq2seq.batching import EncodedPairs, cut_evenly, epoch_batches, plan_batches, read_begins, read_encoded
from seq2seq.ragged import Indices
from seq2seq.settings.training import TrainingSettings
from seq2seq.subwords.sampling import SubwordSampler

Resample = Callable[[np.random.Generator], EncodedPairs]
SUBWORDS = 1
"""Third part of the seed of an epoch's subwords; the order of its pairs and batches has none."""


class TrainingData:
    """Training pairs, cut into batches: equal seed and epoch give equal batches in equal order."""

    def __init__(self, pairs: EncodedPairs, batch_tokens: int, seed: int, resample: Resample | None = None) -> None:
        """`resample` gives the pairs with their words cut anew, for each epoch; without it they stay as they are."""
        self._pairs, self._seed, self._resample = pairs, seed, resample
        self._plan = plan_batches(self._pairs_of(0), batch_tokens)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the same in each."""
        return len(self._plan)

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[EncodedPairs, Indices]]:
        """The batches of an epoch (from 0), from number `first` on: the epoch's pairs, and which of them are in it."""
        pairs = self._pairs_of(epoch)
        plan = cut_evenly(pairs, self.steps_per_epoch) if self._resample else self._plan
        for indices in epoch_batches(pairs, plan, self._seed, epoch)[first:]:
            yield pairs, indices

    def _pairs_of(self, epoch: int) -> EncodedPairs:
        if self._resample is None:
            return self._pairs
        return self._resample(np.random.default_rng([self._seed, epoch, SUBWORDS]))


def read_training_data(
    path: Path, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, settings: TrainingSettings
) -> TrainingData:
    """The training split that `encode` wrote. Raises ConfigError when subwords are to be sampled and cannot be."""
    pairs = read_encoded(path)
    strengths = settings.subword_dropout, settings.subword_temperature
    if not any(strengths):
        return TrainingData(pairs, settings.batch_tokens, settings.seed)
    source_begins, target_begins = read_begins(path)
    source = SubwordSampler(pairs.source, source_begins, source_tokenizer, *strengths)
    target = SubwordSampler(pairs.target, target_begins, target_tokenizer, *strengths)

    def resample(generator: np.random.Generator) -> EncodedPairs:
        return EncodedPairs(source.sample(generator), target.sample(generator))

    return TrainingData(pairs, settings.batch_tokens, settings.seed, resample)
