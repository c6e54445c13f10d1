"""What a process works on: its rows of each batch, made ready in a thread of its own while the batch before is learned.

Shapes in names: B batch, S source positions, T target positions, N real target tokens.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from seq2seq.batching import ON_DEVICE, Batch
from seq2seq.special_tokens import PAD
from seq2seq.training.data import TrainingData

T = TypeVar("T")
READY = 2
"""Batches made ready ahead of the one that is learned."""


@dataclass(frozen=True)
class Share:
    """The rows of a batch that one process learns from."""

    parts: Sequence[Batch]
    """Learned one after another; none where there are fewer rows than processes."""
    target_tokens: int
    """Of the whole batch, all processes together."""


def shares(
    data: TrainingData, epoch: int, first: int, rank: int, size: int, parts: int, copies: int, device: torch.device
) -> Iterator[Share]:
    """This process' share of each batch in `parts`, epoch after epoch without end, from batch `first` of `epoch` on.

    Every so many-th row, so that parts hold sentences of the same lengths; each row `copies` times, copy after copy.
    """
    while True:
        for batch in data.batches(epoch, first):
            chosen = (torch.arange(len(batch.source_BS))[rank + size * part :: size * parts] for part in range(parts))
            mine = [select_rows(batch, rows.repeat(copies)) for rows in chosen if len(rows)]
            yield Share([on_device(part, device) for part in mine], batch.target_tokens)
        epoch, first = epoch + 1, 0


def select_rows(batch: Batch, rows: torch.Tensor) -> Batch:
    """The given rows of a batch on the CPU, in their order, padded no further than these need."""
    if torch.equal(rows, torch.arange(len(batch.source_BS))):
        return batch
    lengths_B, outputs_BT = batch.source_lengths_B[rows], batch.outputs_BT[rows]
    real_BT = outputs_BT != PAD
    longest_S, longest_T = int(lengths_B.max()), int(real_BT.sum(1).max())
    outputs_BT, real_BT = outputs_BT[:, :longest_T].contiguous(), real_BT[:, :longest_T]
    real_N = real_BT.flatten().nonzero()[:, 0]
    return replace(
        batch,
        source_BS=batch.source_BS[rows, :longest_S].contiguous(),
        source_lengths_B=lengths_B,
        inputs_BT=batch.inputs_BT[rows, :longest_T].contiguous(),
        outputs_BT=outputs_BT,
        real_N=real_N,
        targets_N=outputs_BT.flatten()[real_N],
        target_tokens=len(real_N),
    )


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on its device; copies to CUDA start from pinned memory and are not waited for."""
    if device.type == "cuda":
        batch = replace(batch, **{name: getattr(batch, name).pin_memory() for name in ON_DEVICE})
    return batch.to(device)


def ahead(items: Iterator[T]) -> Generator[T]:
    """The items of an endless iterator, made ready in another thread; closing this ends the thread."""
    with ThreadPoolExecutor(1, "batches") as thread:
        coming = deque(thread.submit(next, items) for _ in range(READY))
        try:
            while True:
                yield coming.popleft().result()
                coming.append(thread.submit(next, items))
        finally:
            thread.shutdown(cancel_futures=True)
