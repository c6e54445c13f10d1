"""The further processes of a training, as the first one sees them.

The first process is the step's own: progress, stopping, validation and checkpoints are there and nowhere else. The
others are its children (`seq2seq.training.replica`) and do one thing: the next update, when told to.

Why not `torchrun`: it starts all processes alike and below an agent. The training would not be in the process that is
asked to stop, holds the locks and is seen in Prefect, and each of these would need a way round it.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, distributed

from seq2seq.children import Child, end
from seq2seq.errors import Seq2SeqError
from seq2seq.training import replica
from seq2seq.training.peers import Peers, SharedMemory, make_peers


def backend_of(device: torch.device) -> str:
    """How processes on such devices add up their gradients; see `seq2seq.training.peers`."""
    return "nccl" if device.type == "cuda" else "memory"


class Replicas:
    """All processes but the first. Starting them takes seconds, in which the first can go on; closing ends them."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.size, self._backend = size, backend_of(device)
        self._resources = ExitStack()
        self._memory, self._meeting = -1, ""
        if size > 1:
            self._memory = SharedMemory.reserve()
            self._resources.callback(os.close, self._memory)
            if self._backend != "memory":
                folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="training-"))
                self._meeting = str(Path(folder, "meeting"))
        self._children = [Child(replica.__name__, [self._memory]) for _ in range(1, size)]
        self._connections = [child.connection for child in self._children]

    def __enter__(self) -> "Replicas":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        message = self._end()
        if message and isinstance(error, EOFError | ConnectionError):
            raise Seq2SeqError(message) from error

    def begin(self, plan: Mapping[str, Any], generators: Sequence[Tensor]) -> Peers:
        """Tell everyone what to train and where to begin, with the generators' states of a checkpoint if it had any.

        Gives what the first process needs to share updates with them.
        """
        for rank, connection in enumerate(self._connections, 1):
            state = generators[rank - 1].tolist() if rank <= len(generators) else []  # none: it draws from its own seed
            place = {"rank": rank, "size": self.size, "generator": state}
            way = {"backend": self._backend, "meeting": self._meeting}
            connection.send_bytes(json.dumps({**plan, **place, **way}).encode())
        if not self._connections:
            return make_peers("", 0, 1, [], -1, "")
        return make_peers(self._backend, 0, self.size, self._connections, self._memory, self._meeting)

    def update(self, number: int, rate: float) -> None:
        """Let everyone make the next update, beside the first process."""
        self._tell({"do": "update", "number": number, "rate": rate})

    def generators(self) -> list[Tensor]:
        """The state of everyone's generators of random numbers."""
        self._tell({"do": "generator"})
        return [torch.tensor(list(connection.recv_bytes()), dtype=torch.uint8) for connection in self._connections]

    def peak_memory_mib(self) -> float:
        """The sum of everyone's largest resident memory so far; memory that is shared counts each time."""
        self._tell({"do": "memory"})
        return sum(float(connection.recv_bytes()) for connection in self._connections)

    def _tell(self, message: Mapping[str, Any]) -> None:
        for connection in self._connections:
            connection.send_bytes(json.dumps(message).encode())

    def _end(self) -> str:
        """End all processes; says what became of one that had failed."""
        if self._backend != "memory" and distributed.is_initialized():
            distributed.destroy_process_group()
        failures = end(self._children)
        self._resources.close()
        if not failures:
            return ""
        place, failure = min(failures.items())
        return (
            f"Process {place + 2} of the {self.size} of this training {failure}\nThe last checkpoint is kept, and the "
            "same command goes on from it; with runtime.processes=1 it needs no further process."
        )
