"""What an encoder hands to a decoder, and what a decoder hands to its next step.

Every tensor has the batch as its first dimension, so that decoding can choose rows without knowing the model.
Each architecture has its own; `Rows` is what decoding asks of them.
Shapes in names: B batch, S source positions, T target positions, L layers, H hidden size, K key size, F feature size.
"""

from typing import NamedTuple, Protocol, Self, TypeVar

from torch import Tensor


class Rows(Protocol):
    """A batch of anything."""

    def select(self, rows_N: Tensor) -> Self:
        """The given rows, in their order; a row may occur more than once."""
        ...


MemoryT = TypeVar("MemoryT", bound=Rows)
StateT = TypeVar("StateT", bound=Rows)


class State(NamedTuple):
    """A recurrent decoder between two tokens."""

    hidden_BLH: Tensor
    cell_BLH: Tensor | None = None
    """None for a GRU."""
    fed_BF: Tensor | None = None
    """With input feeding: the features of the token before, which the next step reads."""

    def select(self, rows_N: Tensor) -> Self:
        """The state of the given rows, in their order; a row may occur more than once."""
        cell_NLH = None if self.cell_BLH is None else self.cell_BLH.index_select(0, rows_N)
        fed_NF = None if self.fed_BF is None else self.fed_BF.index_select(0, rows_N)
        return type(self)(self.hidden_BLH.index_select(0, rows_N), cell_NLH, fed_NF)


class Memory(NamedTuple):
    """A batch of source sentences as the decoder sees them. Without attention, `initial` is all of it."""

    initial: State
    values_BSH: Tensor | None = None
    keys_BSK: Tensor | None = None
    padding_BS: Tensor | None = None
    """True where there is no source token."""

    def select(self, rows_N: Tensor) -> Self:
        """The memory of the given rows, in their order; a row may occur more than once."""
        return type(self)(
            self.initial.select(rows_N),
            *(None if tensor is None else tensor.index_select(0, rows_N) for tensor in self[1:]),
        )
