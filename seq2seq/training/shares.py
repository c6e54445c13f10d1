"""What a process works on: its rows of each batch, made ready in a thread of its own while others are learned."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from seq2seq.batching import ON_DEVICE, Batch, collate
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
        for pairs, indices in data.batches(epoch, first):
            chosen = (indices[rank + size * part :: size * parts] for part in range(parts))
            mine = [collate(pairs, np.tile(rows, copies)) for rows in chosen if len(rows)]
            tokens = int((pairs.target.lengths[indices] + 1).sum())
            yield Share([on_device(part, device) for part in mine], tokens)
        epoch, first = epoch + 1, 0


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
