"""Batches of encoded pairs: bucketed by length, cut by a token budget, padded as little as possible.

Shapes in names: B batch, S source positions, T target positions, N real target tokens (end marks included).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from seq2seq.special_tokens import BOS, EOS, PAD

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Sequences of ids, end to end in one array: sequence i is `ids[starts[i] : starts[i + 1]]`."""

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]

    @cached_property
    def lengths(self) -> Indices:
        """Tokens of each sequence."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.int32]:
        return self.ids[self.starts[index] : self.starts[index + 1]]

    @classmethod
    def of_lengths(cls, ids: npt.NDArray[np.int32], lengths: Indices) -> "Ragged":
        """Sequences of these lengths, one after another in `ids`."""
        return cls(ids, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))

    def take(self, rows: Indices) -> "Ragged":
        """The sequences with these numbers, in this order; a number may occur several times."""
        starts, lengths = self.starts[rows], self.starts[rows + 1] - self.starts[rows]
        taken = Ragged.of_lengths(self.ids, lengths)
        positions = np.arange(taken.starts[-1]) + np.repeat(starts - taken.starts[:-1], lengths)
        return Ragged(self.ids[positions], taken.starts)


@dataclass(frozen=True)
class EncodedPairs:
    """A split as ids, without begin and end marks."""

    source: Ragged
    target: Ragged

    def __len__(self) -> int:
        return len(self.source)

    @property
    def target_tokens(self) -> int:
        """Tokens that a model has to predict, the end marks included."""
        return len(self.target.ids) + len(self.target)


@dataclass(frozen=True)
class Batch:
    """Padded ids. Source rows end with EOS; the decoder reads BOS + target and predicts target + EOS."""

    source_BS: Tensor
    source_lengths_B: Tensor
    inputs_BT: Tensor
    outputs_BT: Tensor
    real_N: Tensor
    """Places of the real target tokens in `outputs_BT.view(-1)`, in rising order: known without asking a device."""
    targets_N: Tensor
    """The token at each of these places."""
    target_tokens: int
    """N."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; the lengths stay on the CPU, where packing needs them."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in ON_DEVICE}
        return replace(self, **moved)


ON_DEVICE = ("source_BS", "inputs_BT", "outputs_BT", "real_N", "targets_N")


def read_encoded(path: Path) -> EncodedPairs:
    """Read a split that the `encode` step wrote."""
    with pa.memory_map(str(path)) as stream:
        table = pa.ipc.open_file(stream).read_all()
        return EncodedPairs(*(_ragged(table.column(name).combine_chunks()) for name in ("source", "target")))


def _ragged(lists: pa.ListArray) -> Ragged:
    starts = lists.offsets.to_numpy().astype(np.int64)
    ids = lists.values.to_numpy().astype(np.int32)
    return Ragged(ids[starts[0] : starts[-1]], starts - starts[0])


def plan_batches(pairs: EncodedPairs, batch_tokens: int) -> list[slice]:
    """Cut the pairs, in the order of `shuffled_by_length`, into runs of at most `batch_tokens` target tokens.

    A pair longer than the budget is a batch of its own. The cut is the same in every epoch, because pairs change
    places only with pairs of the same lengths.
    """
    lengths = pairs.target.lengths[_by_length(pairs, np.arange(len(pairs)))] + 1
    cuts, start, tokens = [], 0, 0
    for position, length in enumerate(lengths):
        if tokens and tokens + length > batch_tokens:
            cuts.append(slice(start, position))
            start, tokens = position, 0
        tokens += length
    return [*cuts, slice(start, len(lengths))] if len(lengths) else []


def epoch_batches(pairs: EncodedPairs, plan: list[slice], seed: int, epoch: int) -> list[Indices]:
    """The batches of one epoch, as indices of pairs: equal seed and epoch give equal batches in equal order."""
    generator = np.random.default_rng([seed, epoch])
    ordered = _by_length(pairs, generator.permutation(len(pairs)))
    return [ordered[plan[number]] for number in generator.permutation(len(plan))]


def _by_length(pairs: EncodedPairs, order: Indices) -> Indices:
    """`order`, sorted by source and then target length; equals stay in the order given."""
    keys = (pairs.target.lengths[order], pairs.source.lengths[order])
    return order[np.lexsort(keys)]


def collate(pairs: EncodedPairs, indices: Indices) -> Batch:
    """Pad the pairs of a batch into tensors."""
    source_BS, _ = _ended(pairs.source.take(indices))
    targets = pairs.target.take(indices)
    outputs_BT, real_BT = _ended(targets)
    inputs_BT = np.full_like(outputs_BT, PAD)
    inputs_BT[:, 0] = BOS
    inputs_BT[:, 1:][real_BT[:, 1:]] = targets.ids
    real_N = np.flatnonzero(real_BT)
    return Batch(
        torch.from_numpy(source_BS),
        torch.from_numpy(pairs.source.lengths[indices] + 1),
        torch.from_numpy(inputs_BT),
        torch.from_numpy(outputs_BT),
        torch.from_numpy(real_N),
        torch.from_numpy(outputs_BT.ravel()[real_N]),
        len(real_N),
    )


def pad_sources(sources: list[npt.NDArray[np.int32]]) -> tuple[Tensor, Tensor]:
    """source_BS with EOS at the end of each row and source_lengths_B (EOS counted), from ids without marks."""
    rows = Ragged.of_lengths(np.concatenate(sources), np.array([len(source) for source in sources]))
    return torch.from_numpy(_ended(rows)[0]), torch.from_numpy(rows.lengths + 1)


def _ended(rows: Ragged) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """The sequences as rows of a matrix, each with EOS after it and PAD after that; and what of it is not padding."""
    lengths = rows.lengths
    columns = np.arange(lengths.max() + 1)
    padded = np.full((len(rows), len(columns)), PAD, dtype=np.int64)
    padded[columns < lengths[:, None]] = rows.ids
    padded[np.arange(len(rows)), lengths] = EOS
    return padded, columns <= lengths[:, None]
