"""Batches of encoded pairs: bucketed by length, cut by a token budget, padded as little as possible.

Shapes in names: B batch, S source positions, T target positions, N real target tokens (end marks included).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from seq2seq.ragged import Indices, Ragged
from seq2seq.subwords.special_tokens import BOS, EOS, PAD

TOKENS_PER_SENTENCE = 128
"""A batch to decode holds so many tokens for each of its sentences at most: of long sentences it holds fewer."""


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
    """Tokens of each source row, its EOS counted: int64, on the CPU."""
    inputs_BT: Tensor
    real_N: Tensor
    """Places in `inputs_BT.view(-1)` that are no padding, in rising order: known without asking a device."""
    targets_N: Tensor
    """The token to predict at each of these places."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; the lengths stay on the CPU, where packing needs them."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in ON_DEVICE}
        return replace(self, **moved)


ON_DEVICE = ("source_BS", "inputs_BT", "real_N", "targets_N")


def read_encoded(path: Path) -> EncodedPairs:
    """Read a split that the `encode` step wrote."""
    with pa.memory_map(str(path)) as stream:
        table = pa.ipc.open_file(stream).read_all()
        return EncodedPairs(*(Ragged.of_arrow(table.column(name)) for name in ("source", "target")))


def read_begins(path: Path) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For each token of all sources, and of all targets, whether it is the first of its piece."""
    with pa.memory_map(str(path)) as stream:
        table = pa.ipc.open_file(stream).read_all()
        source, target = (table.column(f"{side}_begins").combine_chunks().flatten() for side in ("source", "target"))
        return source.to_numpy(zero_copy_only=False), target.to_numpy(zero_copy_only=False)


def plan_batches(pairs: EncodedPairs, batch_tokens: int) -> list[slice]:
    """Cut the pairs, sorted by length, into runs of at most `batch_tokens` target tokens.

    A pair longer than the budget is a batch of its own. The cut is the same in every epoch, because pairs change
    places only with pairs of the same lengths.
    """
    lengths = pairs.target.lengths[_by_length(pairs, np.arange(len(pairs)))] + 1
    cuts, start, tokens = [], 0, 0
    for position, length in enumerate(lengths.tolist()):
        if tokens and tokens + length > batch_tokens:
            cuts.append(slice(start, position))
            start, tokens = position, 0
        tokens += length
    return [*cuts, slice(start, len(lengths))] if len(lengths) else []


def cut_evenly(pairs: EncodedPairs, batches: int) -> list[slice]:
    """Cut the pairs, sorted by length, into so many runs of about equally many target tokens, none of them empty."""
    lengths = pairs.target.lengths[_by_length(pairs, np.arange(len(pairs)))] + 1
    middles = np.cumsum(lengths) - lengths / 2
    number = np.arange(1, batches)
    cuts = np.searchsorted(middles, lengths.sum() * number / batches)
    cuts = np.clip(np.maximum.accumulate(cuts - number), 0, len(pairs) - batches) + number
    return [slice(start, end) for start, end in pairwise([0, *cuts.tolist(), len(pairs)])]


def epoch_batches(pairs: EncodedPairs, plan: list[slice], seed: int, epoch: int) -> list[Indices]:
    """The batches of one epoch, as indices of pairs: equal seed and epoch give equal batches in equal order."""
    generator = np.random.default_rng([seed, epoch])
    ordered = _by_length(pairs, generator.permutation(len(pairs)))
    return [ordered[plan[number]] for number in generator.permutation(len(plan))]


def _by_length(pairs: EncodedPairs, order: Indices) -> Indices:
    """`order`, sorted by source and then target length; equals stay in the order given.

    Target lengths rise among sources of even length and fall among those of odd length: a batch that goes over from
    one source length to the next then holds two runs of like target lengths, which halves the padding of targets.
    """
    sources, targets = pairs.source.lengths[order], pairs.target.lengths[order]
    return order[np.lexsort((np.where(sources % 2 == 0, targets, -targets), sources))]


def collate(pairs: EncodedPairs, indices: Indices) -> Batch:
    """Pad the pairs of a batch into tensors."""
    source_BS, _ = _ended(pairs.source.take(indices))
    targets = pairs.target.take(indices)
    outputs_BT, real_BT = _ended(targets)
    inputs_BT = np.full_like(outputs_BT, PAD)
    inputs_BT[:, 0] = BOS
    inputs_BT[:, 1:][real_BT[:, 1:]] = targets.ids
    return Batch(
        torch.from_numpy(source_BS),
        torch.from_numpy(pairs.source.lengths[indices] + 1),
        torch.from_numpy(inputs_BT),
        torch.from_numpy(np.flatnonzero(real_BT)),
        torch.from_numpy(outputs_BT[real_BT]),
    )


def batches_by_length(lengths: Sequence[int], batch_sentences: int) -> Iterator[list[int]]:
    """Rows to decode together: longest first, of like length, at most `batch_sentences` and a bounded padded size.

    Rows of length 0 are left out. A sentence longer than a whole batch may be is a batch of its own.
    """
    order = sorted((row for row, length in enumerate(lengths) if length), key=lambda row: -lengths[row])
    while order:
        fitting = batch_sentences * TOKENS_PER_SENTENCE // lengths[order[0]]
        count = max(1, min(batch_sentences, fitting))
        yield order[:count]
        del order[:count]


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
