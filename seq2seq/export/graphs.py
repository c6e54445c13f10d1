"""A network as two ONNX graphs, whatever its architecture.

    encoder   source, lengths                  → memory.*, state.*
    decoder   tokens, memory.*, state.*        → logits, next_state.*

The stars are the fields of the architecture's Memory and State, by name; fields that are None, and parts of the memory
that the decoder does not read, are left out. All tensors have the batch first.

Shapes in names: B batch, S source positions, V target vocabulary size.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import onnx_ir
import torch
from torch import Tensor, nn

from seq2seq.export.recurrent_nodes import with_nodes
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.subwords.special_tokens import BOS, EOS

Tree = Any
"""A tensor, None, or a tuple of these: what a Memory or a State is made of."""
Axes = dict[int, torch.export.Dim]
"""The dimensions of a tensor that may have any size."""
DIMENSIONS = tuple(torch.export.Dim(name) for name in ("batch", "source_length", "target_length"))


def export_graphs(model: Seq2Seq[Any, Any]) -> tuple[onnx_ir.Model, onnx_ir.Model]:
    """The encoder's and the decoder's graph; the model is in evaluation mode and stays as it is."""
    with torch.no_grad(), _quiet_exporter():
        network = with_nodes(model)
        small, large = (_Example(model, *sizes) for sizes in ((2, 5, 3), (3, 7, 4)))
        axes = small.axes(large)
        step = [axes[name] for name in small.decoder_inputs]
        decoder = _export(
            _DecoderStep(network, small), small.decoder_inputs, small.decoder_outputs, (step[0], tuple(step[1:]))
        )
        read = _drop_unread_inputs(decoder)
        written = {name: tensor for name, tensor in small.encoder_outputs.items() if name in read}
        encoder = _export(
            _Encoder(network, tuple(written)), small.encoder_inputs, written, (axes["source"], axes["lengths"])
        )
    return encoder, decoder


class _Example:
    """A batch of some size, and what becomes of it after some steps of the decoder; no two sizes are equal."""

    def __init__(self, model: Seq2Seq[Any, Any], batch: int, positions: int, steps: int) -> None:
        source_BS = torch.full((batch, positions), EOS)
        lengths_B = torch.full((batch,), positions)
        lengths_B[-1] -= 1
        tokens_B = torch.full((batch,), BOS)
        self.dimensions = dict(zip((batch, positions, steps), DIMENSIONS, strict=True))
        self.memory = model.encode(source_BS, lengths_B)
        self.state = model.start(self.memory)
        first = flatten("state", self.state)
        for _ in range(steps):
            _, self.state = model.step(tokens_B, self.memory, self.state)
        logits_BV, next_state = model.step(tokens_B, self.memory, self.state)
        memory = flatten("memory", self.memory)
        self.encoder_inputs = {"source": source_BS, "lengths": lengths_B}
        self.encoder_outputs = memory | first
        self.decoder_inputs = {"tokens": tokens_B, **memory, **flatten("state", self.state)}
        self.decoder_outputs = {"logits": logits_BV, **flatten("next_state", next_state)}

    def axes(self, other: "_Example") -> dict[str, Axes]:
        """The dimensions that have another size in another example, by what that size is the size of."""
        return {
            name: {
                number: self.dimensions[size]
                for number, (size, compared) in enumerate(zip(mine.shape, theirs.shape, strict=True))
                if size != compared
            }
            for here, there in (
                (self.encoder_inputs, other.encoder_inputs),
                (self.decoder_inputs, other.decoder_inputs),
            )
            for (name, mine), theirs in zip(here.items(), there.values(), strict=True)
        }


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keeps back what is no news: a deprecation inside PyTorch, two dimensions of one name, torchvision not there."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", ".*axis name: .* shares the same shape constraints", UserWarning)
            yield
    finally:
        log.setLevel(level)


class _Encoder(nn.Module):
    """From a source to the tensors that the decoder reads."""

    def __init__(self, network: Seq2Seq[Any, Any], written: Sequence[str]) -> None:
        super().__init__()
        self.network, self.written = network, written

    def forward(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, ...]:
        memory = self.network.encode(source_BS, lengths_B)
        tensors = flatten("memory", memory) | flatten("state", self.network.start(memory))
        return tuple(tensors[name] for name in self.written)


class _DecoderStep(nn.Module):
    """One step by the plain `decode` (a model's own `step` may run on packed weights); single tensors in and out."""

    def __init__(self, network: Seq2Seq[Any, Any], example: _Example) -> None:
        super().__init__()
        self.network, self.memory, self.state = network, example.memory, example.state

    def forward(self, tokens_B: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        waiting = iter(tensors)
        memory, state = rebuild(self.memory, waiting), rebuild(self.state, waiting)
        features_B1F, next_state = self.network.decode(tokens_B[:, None], memory, state)
        return (self.network.logits(features_B1F[:, 0]), *flatten("", next_state).values())


def flatten(name: str, tree: Tree) -> dict[str, Tensor]:
    """The tensors of a tree by their paths: `memory.initial.hidden_BLH`."""
    if tree is None:
        return {}
    if isinstance(tree, Tensor):
        return {name: tree}
    fields = getattr(tree, "_fields", range(len(tree)))
    return {
        path: tensor
        for field, part in zip(fields, tree, strict=True)
        for path, tensor in flatten(f"{name}.{field}", part).items()
    }


def rebuild(like: Tree, tensors: Iterator[Tensor]) -> Tree:
    """A tree of the same form with other tensors: the reverse of `flatten`."""
    if like is None:
        return None
    if isinstance(like, Tensor):
        return next(tensors)
    parts = [rebuild(part, tensors) for part in like]
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)


def _export(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor], dynamic_shapes: tuple[Any, ...]
) -> onnx_ir.Model:
    program = torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        dynamo=True,
        verbose=False,
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes=dynamic_shapes,
    )
    assert program is not None
    return _without_traces(program.model)


def _without_traces(model: onnx_ir.Model) -> onnx_ir.Model:
    """Takes out where in our source each node came from: it is of no use elsewhere, and holds paths of this machine."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    return model


def _drop_unread_inputs(model: onnx_ir.Model) -> set[str | None]:
    """Takes out the inputs that no node reads; gives the names of those that stay."""
    read = [value for value in model.graph.inputs if value.uses() or value.is_graph_output()]
    model.graph.inputs[:] = read
    return {value.name for value in read}
