"""Batches of encoded pairs: bucketed by length, cut by a token budget, padded as little as possible.

Shapes in names: B batch, S source positions, T target positions.
"""

from dataclasses import dataclass
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

    @property
    def lengths(self) -> Indices:
        """Tokens of each sequence."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.int32]:
        return self.ids[self.starts[index] : self.starts[index + 1]]


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
    target_tokens: int

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; the lengths stay on the CPU, where packing needs them."""
        return Batch(
            self.source_BS.to(device, non_blocking=True),
            self.source_lengths_B,
            self.inputs_BT.to(device, non_blocking=True),
            self.outputs_BT.to(device, non_blocking=True),
            self.target_tokens,
        )


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
    targets = [pairs.target[index] for index in indices]
    source_BS, lengths_B = pad_sources([pairs.source[index] for index in indices])
    tokens = sum(map(len, targets)) + len(targets)
    inputs_BT = _pad([np.concatenate(([BOS], target)) for target in targets])
    outputs_BT = _pad([np.concatenate((target, [EOS])) for target in targets])
    return Batch(source_BS, lengths_B, inputs_BT, outputs_BT, tokens)


def pad_sources(sources: list[npt.NDArray[np.int32]]) -> tuple[Tensor, Tensor]:
    """source_BS with EOS at the end of each row and source_lengths_B (EOS counted), from ids without marks."""
    rows = [np.concatenate((source, [EOS])) for source in sources]
    return _pad(rows), torch.tensor([len(row) for row in rows])


def _pad(rows: list[npt.NDArray[np.int64]]) -> Tensor:
    padded = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return torch.from_numpy(padded)
