"""What an encoder hands to a decoder, and what a decoder hands to its next step.

Every tensor has the batch as its first dimension, so that decoding can choose rows without knowing the model.
Each architecture has its own; `Rows` is what decoding asks of them, and `StepModel` what it asks of a model.
Shapes in names: B batch, N hypotheses, S source positions, T target positions, V target vocabulary size, L layers,
H hidden size, K key size, F feature size.
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


class StepModel(Protocol[MemoryT, StateT]):
    """What decoding asks of a model."""

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> MemoryT:
        """Read a padded batch of source sentences; the lengths are on the CPU."""
        ...

    def start(self, memory: MemoryT) -> StateT:
        """The state before the first token."""
        ...

    def step(self, tokens_N: Tensor, memory: MemoryT, state: StateT) -> tuple[Tensor, StateT]:
        """logits_NV of the token after `tokens_N`, and the state to go on from. Decoding writes into the logits.

        N is a multiple of the memory's B: the hypotheses of a sentence stand side by side and share its memory.
        """
        ...


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
