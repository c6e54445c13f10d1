"""An exported folder as a model that decodes: its two graphs, run by onnxruntime on the CPU.

onnxruntime runs a whole graph in one call, where PyTorch is called for each operation: little is lost between them
(LAB.md, "Translation by onnxruntime").

Shapes in names: B sentences, S source positions, N hypotheses (B or a multiple of it), V target vocabulary size.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor

from seq2seq.export.reading import GRAPHS

Arrays = dict[str, npt.NDArray[Any]]


class Tensors(NamedTuple):
    """Tensors under the names of the graphs' inputs; all have the batch first."""

    named: Mapping[str, Tensor]

    def select(self, rows_N: Tensor) -> Self:
        """The given rows, in their order; a row may occur more than once."""
        return type(self)({name: tensor.index_select(0, rows_N) for name, tensor in self.named.items()})

    def repeated(self, times: int) -> Arrays:
        """As arrays, each row so many times in turn."""
        tensors = self.named.items()
        return {name: (each if times == 1 else each.repeat_interleave(times, 0)).numpy() for name, each in tensors}


class Memory:
    """What the encoder gives for a batch of sentences."""

    def __init__(self, initial: Tensors, read: Tensors) -> None:
        self.initial = initial
        self._read, self._arrays = read, (0, Arrays())

    def select(self, rows_N: Tensor) -> Self:
        """The memory of the given rows, in their order; a row may occur more than once."""
        return type(self)(self.initial.select(rows_N), self._read.select(rows_N))

    def beside(self, hypotheses: int) -> Arrays:
        """What the decoder reads for so many hypotheses, those of a sentence side by side; held from step to step."""
        if self._arrays[0] != hypotheses:
            sentences = len(next(iter(self.initial.named.values())))
            self._arrays = hypotheses, self._read.repeated(hypotheses // sentences)
        return self._arrays[1]


class ExportedModel:
    """The graphs of one folder (a `StepModel`). A call has one thread; several threads may call at once."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # for batches of one shape only
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
            for name in GRAPHS
        )
        self._encoded = [value.name for value in self._encoder.get_outputs()]
        self._after = [value.name.removeprefix("next_") for value in self._decoder.get_outputs()[1:]]

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """Read a padded batch of source sentences (int64)."""
        inputs = {"source": source_BS.numpy(), "lengths": source_lengths_B.numpy()}
        tensors = _named(self._encoded, self._encoder.run(self._encoded, inputs))
        initial = {name: tensor for name, tensor in tensors.items() if name in self._after}
        read = {name: tensor for name, tensor in tensors.items() if name not in initial}
        return Memory(Tensors(initial), Tensors(read))

    def start(self, memory: Memory) -> Tensors:
        """The state before the first token."""
        return memory.initial

    def step(self, tokens_N: Tensor, memory: Memory, state: Tensors) -> tuple[Tensor, Tensors]:
        """logits_NV of the token after `tokens_N` (int64), and the state to go on from."""
        inputs = {"tokens": tokens_N.numpy(), **memory.beside(len(tokens_N)), **state.repeated(1)}
        logits_NV, *after = self._decoder.run(None, inputs)
        return torch.from_numpy(logits_NV), Tensors(_named(self._after, after))


def _named(names: Sequence[str], arrays: Sequence[npt.NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}
