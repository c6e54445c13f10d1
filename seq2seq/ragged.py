"""Sequences of different lengths in one array."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa

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
    def of_arrow(cls, column: pa.ChunkedArray) -> "Ragged":
        """A column of type list<int32>."""
        return cls.of_lengths(
            np.concatenate([np.empty(0, np.int32), *(chunk.flatten().to_numpy() for chunk in column.chunks)]),
            np.concatenate([np.empty(0, np.int64), *(chunk.value_lengths().to_numpy() for chunk in column.chunks)]),
        )

    @classmethod
    def of_lists(cls, rows: Sequence[Sequence[int]]) -> "Ragged":
        """Sequences given one by one."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return cls.of_lengths(np.fromiter(chain.from_iterable(rows), np.int32, lengths.sum()), lengths)

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

    def arrow(self) -> pa.ListArray:
        """The sequences as list<int32>."""
        return pa.ListArray.from_arrays(pa.array(self.starts, pa.int32()), pa.array(self.ids, pa.int32()))
