"""The batches of a training, epoch by epoch."""

from collections.abc import Iterator

from seq2seq.batching import Batch, EncodedPairs, collate, epoch_batches, plan_batches


class TrainingData:
    """Training pairs, cut into batches: equal seed and epoch give equal batches in equal order."""

    def __init__(self, pairs: EncodedPairs, batch_tokens: int, seed: int) -> None:
        self._pairs, self._seed = pairs, seed
        self._plan = plan_batches(pairs, batch_tokens)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the same in each."""
        return len(self._plan)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (from 0), from number `first` on."""
        for indices in epoch_batches(self._pairs, self._plan, self._seed, epoch)[first:]:
            yield collate(self._pairs, indices)
