"""The one interface that training and decoding know, whatever the architecture behind it.

Shapes in names: B sentences, N = B or a multiple of it, S source positions, T target positions, F feature size,
V target vocabulary size.
"""

from abc import abstractmethod
from typing import Generic

from torch import Tensor, nn

from seq2seq.models.linear import LinearMaker
from seq2seq.models.memory import MemoryT, StateT, StepModel


class Seq2Seq(nn.Module, Generic[MemoryT, StateT]):
    """Encoder and decoder, trained together by one loss.

    The source ends with EOS; the decoder's first input is BOS. Source and target are of any length and order.
    """

    @property
    @abstractmethod
    def output(self) -> nn.Linear:
        """The output layer: features to logits."""

    @abstractmethod
    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> MemoryT:
        """Read a padded batch of source sentences. The lengths are int64 on the CPU, EOS included."""

    @abstractmethod
    def start(self, memory: MemoryT) -> StateT:
        """The decoder's state before its first token."""

    @abstractmethod
    def decode(self, inputs_BT: Tensor, memory: MemoryT, state: StateT) -> tuple[Tensor, StateT]:
        """Teacher forcing: features_BTF of the given positions and the state after the last of them."""

    def alignment(self, source_BS: Tensor, source_lengths_B: Tensor, inputs_BT: Tensor) -> Tensor | None:
        """weights_BTS: how much of each source token, in the text's order, went into each prediction.

        Of one teacher-forced pass; None for a model that does not attend.
        """
        return None

    def step(self, tokens_N: Tensor, memory: MemoryT, state: StateT) -> tuple[Tensor, StateT]:
        """Auto-regression: logits_NV of the token after `tokens_N`, and the state to go on from.

        The state may have several rows for each sentence of the memory, those of a sentence side by side.
        """
        features_N1F, state = self.decode(tokens_N[:, None], memory, state)
        return self.logits(features_N1F[:, 0]), state

    def for_decoding(self, linear: LinearMaker, of_bounded: LinearMaker | None = None) -> StepModel[MemoryT, StateT]:
        """This model for single steps, with the weights as they are now: its matrices go through `linear`.

        Those whose rows hold nothing beyond -1 and 1, as tanh gives it, go through `of_bounded` where there is one. An
        architecture that gains nothing by that gives itself. The caller sees to `eval()`.
        """
        return self

    def logits(self, features: Tensor) -> Tensor:
        """The output layer, on features of any leading shape."""
        return self.output(features)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped
