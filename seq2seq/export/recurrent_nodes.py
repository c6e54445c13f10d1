"""`nn.LSTM` and `nn.GRU` of one layer as ONNX nodes.

PyTorch's exporter writes a recurrent layer out as its matrix products, one time step after another, and knows no
packed sequences. ONNX has the layers themselves (operators LSTM and GRU): they take the length of each row, so that
no padding is read in either direction, and a runtime has one fast kernel for each.

Shapes in names: B batch, S positions, E size of the input, H hidden size, D directions, G gates.
"""

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

NetworkT = TypeVar("NetworkT", bound=nn.Module)

ONNX_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""Where each of ONNX's gates is in PyTorch: input, output, forget, cell; update, reset, new."""


def with_nodes(network: NetworkT) -> NetworkT:
    """A copy of a network whose recurrent layers are ONNX nodes: it can be exported, and nothing else."""
    network = copy.deepcopy(network)
    for layer in list(network.modules()):
        if isinstance(layer, nn.LSTM | nn.GRU):
            layer.node = RecurrentNode(layer)
            layer.forward = layer.node.forward  # type: ignore[method-assign]  # of this instance alone
    return network


class RecurrentNode(nn.Module):
    """Takes what `nn.LSTM` and `nn.GRU` of one layer take, but the lengths of padded rows, not a packed sequence."""

    inner: Tensor
    """Weights of the input in ONNX's order, [D, G * H, E]."""
    recurrent: Tensor
    """[D, G * H, H]"""
    bias: Tensor
    """Of both, one after the other, [D, 2 * G * H]."""

    def __init__(self, layer: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.operator = "LSTM" if isinstance(layer, nn.LSTM) else "GRU"
        self.size, self.directions = layer.hidden_size, 2 if layer.bidirectional else 1
        self.register_buffer("inner", self._by_gate(layer, "weight_ih"))
        self.register_buffer("recurrent", self._by_gate(layer, "weight_hh"))
        self.register_buffer("bias", torch.cat([self._by_gate(layer, "bias_ih"), self._by_gate(layer, "bias_hh")], 1))

    def _by_gate(self, layer: nn.Module, name: str) -> Tensor:
        gates = ONNX_GATES[self.operator]
        directions = [
            getattr(layer, f"{name}_l0{suffix}").detach().chunk(len(gates))
            for suffix in ("", "_reverse")[: self.directions]
        ]
        return torch.stack([torch.cat([chunks[gate] for gate in gates]) for chunks in directions])

    def forward(
        self, inputs_BSE: Tensor, first: tuple[Tensor, Tensor] | Tensor | None = None, lengths_B: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...] | Tensor]:
        """outputs_BSH and the last state, as PyTorch's layers give them."""
        firsts = () if first is None else (first,) if isinstance(first, Tensor) else first
        rows, positions, _ = inputs_BSE.shape
        state = (self.directions, rows, self.size)
        shapes = [(positions, *state), state, state][: 3 if self.operator == "LSTM" else 2]
        outputs_SDBH, hidden_DBH, *cell_DBH = torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (
                *(inputs_BSE.transpose(0, 1), self.inner, self.recurrent, self.bias),
                *(None if lengths_B is None else lengths_B.to(torch.int32), *firsts),
            ),
            self._attributes(),
            dtypes=[inputs_BSE.dtype] * len(shapes),
            shapes=shapes,
        )
        return outputs_SDBH.permute(2, 0, 1, 3).flatten(2), (hidden_DBH, *cell_DBH) if cell_DBH else hidden_DBH

    def _attributes(self) -> dict[str, Any]:
        direction = "bidirectional" if self.directions == 2 else "forward"
        attributes: dict[str, Any] = {"hidden_size": self.size, "direction": direction}
        if self.operator == "GRU":
            attributes["linear_before_reset"] = 1  # as PyTorch and cuDNN have it
        return attributes
