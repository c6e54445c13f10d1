"""Layers of LSTM (Hochreiter & Schmidhuber 1997) or GRU (Cho et al. 2014) over whole sequences.

Shapes in names: B batch, T positions, E input size, H output size (directions side by side), L layers, D directions.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.models.dropout import Dropout
from seq2seq.models.memory import State
from seq2seq.models.padding import is_padded
from seq2seq.settings.model import ModelSettings

ROWS_OF_A_LENGTH = 16
"""With fewer rows of each length in a batch, one packed call is faster (one thread, 256 units, bf16)."""


class RecurrentLayers(nn.Module):
    """Each layer reads what the one below gives, normalised if `layer_norm` and then dropped out.

    If `residual`, what the one below gives is added to what the layer gives (Wu et al. 2016, section 3.1).

    Normalised is what goes into a layer, not the sums inside its cell (Ba et al. 2016, section 4): each layer stays
    one call of the library's kernel over all positions, several times as fast as a cell at a time. What the first
    layer reads of an earlier output (`fed_size` more features, see `DecoderStep`) is neither: it was both before.
    """

    def __init__(
        self,
        settings: ModelSettings,
        input_size: int,
        hidden_size: int,
        layers: int,
        bidirectional: bool = False,
        fed_size: int = 0,
    ) -> None:
        super().__init__()
        kind = nn.LSTM if settings.architecture == "lstm" else nn.GRU
        self.sizes = [input_size, *[hidden_size * (2 if bidirectional else 1)] * (layers - 1)]
        """Of what each layer reads, without what is fed."""
        self.norms = nn.ModuleList(nn.LayerNorm(size) if settings.layer_norm else nn.Identity() for size in self.sizes)
        self.dropout = Dropout(settings.dropout, settings.variational_dropout)
        self.residual = settings.residual
        self.layers = nn.ModuleList(
            kind(size + (0 if layer else fed_size), hidden_size, batch_first=True, bidirectional=bidirectional)
            for layer, size in enumerate(self.sizes)
        )

    def forward(
        self, inputs_BTE: Tensor, initial: State | None = None, lengths_B: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """outputs_BTH of the top layer, and the last state of every layer.

        `lengths_B` (on the CPU) are the real lengths where rows are padded: padding is never read. Where all are
        equal there is none, and the layers take the faster plain kernel.
        """
        if lengths_B is not None and not is_padded(lengths_B, inputs_BTE.shape[1]):
            lengths_B = None
        outputs_BTH, states = inputs_BTE, []
        for number, layer in enumerate(self.layers):
            dtype = next(layer.parameters()).dtype
            start = None if initial is None else _layer_state(initial, number, dtype)
            ready_BTE = self.prepare(number, outputs_BTH).to(dtype)
            with outside_of_autocast(ready_BTE.device):
                if lengths_B is None:
                    given_BTH, last = layer(ready_BTE, start)
                else:
                    given_BTH, last = _run_packed(layer, ready_BTE, lengths_B)
            outputs_BTH = self.pass_on(number, outputs_BTH, given_BTH)
            states.append(last if isinstance(last, tuple) else (last,))
        return outputs_BTH, State(
            *(torch.stack([_side_by_side(part) for part in parts], 1) for parts in zip(*states, strict=True))
        )

    def prepare(self, number: int, inputs_BTE: Tensor) -> Tensor:
        """What layer `number` reads: normalised, then dropped out."""
        return self.dropout(self.norms[number](inputs_BTE))  # type: ignore[no-any-return]  # modules are untyped

    def pass_on(self, number: int, below_NH: Tensor, given_NH: Tensor) -> Tensor:
        """What is read above layer `number`, of what it gives and what is given below it."""
        return given_NH + below_NH if self.residual and number else given_NH


def _run_packed(layer: nn.Module, inputs_BTE: Tensor, lengths_B: Tensor) -> tuple[Tensor, object]:
    if torch.compiler.is_exporting():  # the layer is a node that takes lengths: see seq2seq.export.recurrent_nodes
        return layer(inputs_BTE, lengths_B=lengths_B)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped
    if _few_lengths(layer, inputs_BTE, lengths_B):
        return _run_by_length(layer, inputs_BTE, lengths_B)
    packed = pack_padded_sequence(inputs_BTE, lengths_B, batch_first=True, enforce_sorted=False)
    outputs, last = layer(packed)
    return pad_packed_sequence(outputs, batch_first=True, total_length=inputs_BTE.shape[1])[0], last


def _few_lengths(layer: nn.Module, inputs_BTE: Tensor, lengths_B: Tensor) -> bool:
    """Whether it pays to run the rows of each length for themselves: it does for oneDNN's LSTM."""
    on_cpu = isinstance(layer, nn.LSTM) and inputs_BTE.device.type == "cpu"
    return on_cpu and len(lengths_B) >= ROWS_OF_A_LENGTH * len(set(lengths_B.tolist()))


def _run_by_length(layer: nn.Module, inputs_BTE: Tensor, lengths_B: Tensor) -> tuple[Tensor, object]:
    """The same without packing: packed rows reach neither oneDNN's kernel nor autocast."""
    rows, outputs, states = [], [], []
    for length in sorted(set(lengths_B.tolist())):
        rows_N = (lengths_B == length).nonzero()[:, 0]
        outputs_NTH, state = layer(inputs_BTE[rows_N, :length])
        rows.append(rows_N)
        outputs.append(functional.pad(outputs_NTH, (0, 0, 0, inputs_BTE.shape[1] - length)))
        states.append(state)
    order_B = torch.cat(rows).argsort()
    last = tuple(torch.cat(parts, 1)[:, order_B] for parts in zip(*states, strict=True))
    return torch.cat(outputs)[order_B], last


def outside_of_autocast(device: torch.device) -> AbstractContextManager[object]:
    """The context that a layer runs in. It leaves autocast on CUDA, where the layer would compute in float16.

    PyTorch's autocast gives cuDNN's recurrent kernels float16 whatever type it was asked for, and gradients of a
    batch's summed loss soon exceed what float16 holds. Products of float32 round their factors to TF32 there.
    """
    return torch.autocast("cuda", enabled=False) if device.type == "cuda" else nullcontext()


def _layer_state(state: State, number: int, dtype: torch.dtype) -> Tensor | tuple[Tensor, Tensor]:
    """A layer's share of the state, as PyTorch takes it: [direction, batch, hidden]."""
    hidden_1BH = state.hidden_BLH[:, number].to(dtype).contiguous()[None]
    if state.cell_BLH is None:
        return hidden_1BH
    return hidden_1BH, state.cell_BLH[:, number].to(dtype).contiguous()[None]


def _side_by_side(state_DBH: Tensor) -> Tensor:
    return state_DBH.transpose(0, 1).flatten(1)
