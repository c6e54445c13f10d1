"""One token at a time through a recurrent decoder.

`nn.LSTM` lays its weights out anew for each call and is slow for a single step of few rows. Here a step is written
out on linear maps that the caller provides: the live weights where gradients are wanted (input feeding needs single
steps in training, too; see `seq2seq.models.repeated`), packed or quantized copies for decoding.

Shapes in names: B sentences, N rows (N = B or a multiple of it), T target positions, H hidden size, L layers,
G the gates of a layer side by side (4 H for LSTM, 3 H for GRU), F feature size, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seq2seq.models.attention import Products
from seq2seq.models.linear import LinearMaker
from seq2seq.models.memory import Memory, State

if TYPE_CHECKING:
    from seq2seq.models.recurrent import RecurrentDecoder, RecurrentSeq2Seq


class DecoderStep:
    """A decoder's step on maps made by `linear` from the weights as they are now; attention's products are `bmm`'s.

    `of_bounded` makes those that read a hidden state, which lies between -1 and 1.
    """

    def __init__(
        self,
        decoder: RecurrentDecoder,
        linear: LinearMaker,
        bmm: Products = torch.bmm,
        of_bounded: LinearMaker | None = None,
    ) -> None:
        self._decoder, self._bmm = decoder, bmm
        layers = [dict(layer.named_parameters()) for layer in decoder.recurrent.layers]
        first, size = layers[0], decoder.embedding.embedding_dim
        self._read = linear(first["weight_ih_l0"][:, :size], first["bias_ih_l0"])
        self._feed = linear(first["weight_ih_l0"][:, size:], None) if decoder.input_feeding else None
        self._rise = [linear(layer["weight_ih_l0"], layer["bias_ih_l0"]) for layer in layers[1:]]
        self._recall = [(of_bounded or linear)(layer["weight_hh_l0"], layer["bias_hh_l0"]) for layer in layers]
        readout = decoder.readout
        self._readout = None if readout is None else linear(readout.weight, readout.bias)

    def read(self, tokens_NT: Tensor) -> Tensor:
        """products_NTG: the share of the tokens in the first layer's gates. It needs no state: all T go at once."""
        return self._read(self._decoder.recurrent.prepare(0, self._decoder.embedding(tokens_NT)))

    def __call__(
        self, products_NG: Tensor, memory: Memory, state: State, noise: Sequence[Tensor] = ()
    ) -> tuple[Tensor, State]:
        """features_NF and the state after a step.

        `noise` is what dropout multiplies by in this step: the inputs of each layer but the first, then the features.
        """
        if self._feed is not None and state.fed_BF is not None:
            products_NG = products_NG + self._feed(state.fed_BF)
        layers, outputs_NH = self._decoder.recurrent, products_NG
        after: list[tuple[Tensor, ...]] = []
        for number, recall in enumerate(self._recall):
            if number:
                inputs_NH = layers.norms[number](outputs_NH)
                products_NG = self._rise[number - 1](inputs_NH * noise[number - 1] if noise else inputs_NH)
            hidden_NH = state.hidden_BLH[:, number]
            if state.cell_BLH is None:
                after.append(gru_cell(products_NG, recall(hidden_NH), hidden_NH))
            else:
                after.append(lstm_cell(products_NG + recall(hidden_NH), state.cell_BLH[:, number]))
            outputs_NH = layers.pass_on(number, outputs_NH, after[-1][0])
        features_NF = self._decoder.features(outputs_NH[:, None], memory, self._readout, self._bmm)[:, 0]
        if noise:
            features_NF = features_NF * noise[-1]
        parts = [torch.stack(part, 1) for part in zip(*after, strict=True)]
        cell_NLH = parts[1] if len(parts) > 1 else None
        return features_NF, State(parts[0], cell_NLH, None if self._feed is None else features_NF)


def lstm_cell(gates_N4H: Tensor, cell_NH: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell state after a step, from the sums that PyTorch orders input, forget, new, output."""
    let_in_NH, keep_NH, new_NH, let_out_NH = gates_N4H.chunk(4, 1)
    cell_NH = keep_NH.sigmoid() * cell_NH + let_in_NH.sigmoid() * new_NH.tanh()
    return let_out_NH.sigmoid() * cell_NH.tanh(), cell_NH


def gru_cell(read_N3H: Tensor, recalled_N3H: Tensor, hidden_NH: Tensor) -> tuple[Tensor]:
    """Hidden state after a step; PyTorch orders reset, update, new, and resets what is recalled, not the state."""
    reset_NH, update_NH = (read_N3H + recalled_N3H).chunk(3, 1)[:2]
    read_NH, recalled_NH = read_N3H.chunk(3, 1)[2], recalled_N3H.chunk(3, 1)[2]
    new_NH = (read_NH + reset_NH.sigmoid() * recalled_NH).tanh()
    return (new_NH + update_NH.sigmoid() * (hidden_NH - new_NH),)


class Stepper:
    """A recurrent model as decoding uses it: its weights as they were, on maps of the caller's choice."""

    def __init__(self, model: RecurrentSeq2Seq, linear: LinearMaker, of_bounded: LinearMaker) -> None:
        self._model = model
        self._step = DecoderStep(model.decoder, linear, of_bounded=of_bounded)
        make = of_bounded if model.decoder.features_are_bounded else linear
        self._output = make(model.output.weight, model.output.bias)

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """As the model does."""
        return self._model.encode(source_BS, source_lengths_B)

    def start(self, memory: Memory) -> State:
        """As the model does."""
        return self._model.start(memory)

    def step(self, tokens_N: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """logits_NV of the token after `tokens_N`, and the state to go on from."""
        features_NF, state = self._step(self._step.read(tokens_N[:, None])[:, 0], memory, state)
        return self._output(features_NF), state
