"""The processes that share a training, and what passes between them in an update.

Each works out the gradients of its own rows of a batch. How these become one update depends on where memory lies:

* `Alone`: one process, nothing passes.
* `SharedMemory` (CPU): weights, averages and the optimizer's moments lie once, in memory that all processes map.
  Each adds up everybody's gradients for its own part of the weights and updates that part, which all see at once:
  the split of ZeRO (Rajbhandari et al. 2020, section 5) without its messages.
* `Collective` (CUDA): each process holds everything, gradients are summed by all-reduce, and each does the same
  update.

A connection from the first process to each of the others keeps them in step; one that ends, ends the process.
"""

import mmap
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

import torch
from torch import Tensor, distributed, nn

DOUBLE = struct.Struct("d")
CACHE_LINE_FLOATS = 16
ADDRESSES_BYTES = 2**40
"""Length of the file behind shared memory. It takes up what is written to, and no more."""


@dataclass(frozen=True)
class Table:
    """A number for each weight: the weights themselves, an average of them, a moment of their gradients."""

    named: Mapping[str, Tensor]
    """All of it, by the parameters' names."""
    matrices: Sequence[Tensor]
    """The part of it that this process updates, of parameters with two dimensions and more."""
    vectors: Sequence[Tensor]

    @property
    def own(self) -> list[Tensor]:
        """All that this process updates, matrices first."""
        return [*self.matrices, *self.vectors]

    def fill(self, values: Mapping[str, Tensor]) -> None:
        """Take over values by name."""
        with torch.no_grad():
            for name, tensor in self.named.items():
                tensor.copy_(values[name])


class Link:
    """The connections of one process: the first has one to each of the others, any other has one to the first."""

    def __init__(self, rank: int, connections: Sequence[Connection]) -> None:
        self.rank, self.connections = rank, connections

    def total(self, value: float) -> float:
        """The sum of all processes' values, in the order of their ranks; nobody goes on before all are here."""
        if self.rank:
            self.connections[0].send_bytes(DOUBLE.pack(value))
            return float(DOUBLE.unpack(self.connections[0].recv_bytes())[0])
        for connection in self.connections:
            value += DOUBLE.unpack(connection.recv_bytes())[0]
        for connection in self.connections:
            connection.send_bytes(DOUBLE.pack(value))
        return value


class Peers(Protocol):
    """What an update asks of the processes around it. Parameters come with matrices first, in all calls alike."""

    rank: int
    size: int

    def table(self, parameters: Mapping[str, Tensor]) -> Table:
        """Zeros, of the shape and on the device of each parameter."""
        ...

    def agree(self, tables: Sequence[Table]) -> None:
        """Once, before the first update: all processes go on from the values that the first one has."""
        ...

    def add_up(self, parameters: Mapping[str, nn.Parameter], nll: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        """Gradients of `Table.own` and `nll`, summed over all processes; the parameters' own are taken away."""
        ...

    def total_of_parts(self, part: Tensor) -> Tensor:
        """The sum of what each process found for its own part of the weights."""
        ...

    def finish(self) -> None:
        """Nobody goes on before all parts of the weights are updated."""
        ...


class Alone:
    """A training in one process."""

    rank, size = 0, 1

    def table(self, parameters: Mapping[str, Tensor]) -> Table:
        named = {name: torch.zeros_like(tensor, requires_grad=False) for name, tensor in parameters.items()}
        matrices, vectors = _by_dimension(named)
        return Table(named, [*matrices.values()], [*vectors.values()])

    def agree(self, tables: Sequence[Table]) -> None:
        pass

    def add_up(self, parameters: Mapping[str, nn.Parameter], nll: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters.values()]
        for parameter in parameters.values():
            parameter.grad = None
        return gradients, nll

    def total_of_parts(self, part: Tensor) -> Tensor:
        return part

    def finish(self) -> None:
        pass


class Collective(Alone):
    """Processes that hold everything and sum gradients in PyTorch's default process group.

    With NCCL the host never waits for a device. Tried with gloo only: no machine with several GPUs was at hand.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def agree(self, tables: Sequence[Table]) -> None:
        for table in tables:
            for tensor in table.named.values():
                distributed.broadcast(tensor, 0)

    def add_up(self, parameters: Mapping[str, nn.Parameter], nll: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        gradients, nll = super().add_up(parameters, nll)
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), nll.reshape(1)])
        distributed.all_reduce(flat)
        *summed, nll = torch.split(flat, [*(gradient.numel() for gradient in gradients), 1])
        return [total.view_as(gradient) for total, gradient in zip(summed, gradients, strict=True)], nll[0]


class SharedMemory:
    """Processes of one machine that map the same memory, each by the same calls of `table` in the same order."""

    def __init__(self, rank: int, size: int, link: Link, descriptor: int) -> None:
        self.rank, self.size = rank, size
        self._link, self._descriptor, self._used = link, descriptor, 0
        self._gradients: list[Table] = []

    @staticmethod
    def reserve() -> int:
        """A file descriptor of memory that lasts as long as any process has it open or mapped."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("training")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.truncate(descriptor, ADDRESSES_BYTES)
        return descriptor

    def table(self, parameters: Mapping[str, Tensor]) -> Table:
        groups = [self._map(group) for group in _by_dimension(parameters)]
        named = {name: view for views, _ in groups for name, view in views.items()}
        return Table(named, *([share] for _, share in groups))

    def _map(self, parameters: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """Views of the parameters' shapes, end to end in new memory, and the share of it that is this process'."""
        sizes = [tensor.numel() for tensor in parameters.values()]
        length = (4 * sum(sizes) // mmap.ALLOCATIONGRANULARITY + 1) * mmap.ALLOCATIONGRANULARITY
        memory = mmap.mmap(self._descriptor, length, offset=self._used)
        self._used += length
        flat = torch.frombuffer(memory, dtype=torch.float32)[: sum(sizes)]
        views = (part.view_as(like) for part, like in zip(torch.split(flat, sizes), parameters.values(), strict=True))
        lines = -(-sum(sizes) // CACHE_LINE_FLOATS)
        start, end = (CACHE_LINE_FLOATS * (lines * rank // self.size) for rank in (self.rank, self.rank + 1))
        return dict(zip(parameters, views, strict=True)), flat[start:end]

    def agree(self, tables: Sequence[Table]) -> None:
        """There is one value of each. A place for the gradients of every process comes after the tables."""
        self._gradients = [self.table(tables[0].named) for _ in range(self.size)]

    def add_up(self, parameters: Mapping[str, nn.Parameter], nll: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        ours = self._gradients[self.rank]
        for name, parameter in parameters.items():
            if parameter.grad is None:
                ours.named[name].zero_()
            else:
                ours.named[name].copy_(parameter.grad)
            parameter.grad = None
        total = self._link.total(float(nll))
        for theirs in self._gradients:
            if theirs is not ours:
                torch._foreach_add_(ours.own, theirs.own)
        return ours.own, torch.tensor(total)

    def total_of_parts(self, part: Tensor) -> Tensor:
        return torch.tensor(self._link.total(float(part)))

    def finish(self) -> None:
        self._link.total(0.0)


def _by_dimension(parameters: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Matrices (and what has more dimensions), and vectors, which AdamW does not decay."""
    matrices = {name: tensor for name, tensor in parameters.items() if tensor.ndim > 1}
    return matrices, {name: tensor for name, tensor in parameters.items() if tensor.ndim <= 1}


def make_peers(
    backend: str, rank: int, size: int, connections: Sequence[Connection], descriptor: int, meeting: str
) -> Peers:
    """The peers of process `rank` of `size`.

    `backend` is `memory` (that behind `descriptor`) or one of PyTorch's, whose processes meet in the file `meeting`.
    """
    if size == 1:
        return Alone()
    if backend == "memory":
        return SharedMemory(rank, size, Link(rank, connections), descriptor)
    distributed.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=size)
    return Collective(rank, size)
