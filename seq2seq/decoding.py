"""Greedy decoding, and what it shares with beam search (in a module of its own: training needs greedy alone).

Decoding needs a model only as a pure step, (token, state) -> (scores of the next token, state), whose tensors
all have the batch as their first dimension; it knows no network.

Shapes in names: B sentences, S source positions, V target vocabulary size, N chosen rows, C continuations.
"""

from typing import Protocol

import torch
from torch import Tensor

from seq2seq.models.memory import MemoryT, StateT
from seq2seq.special_tokens import BOS, EOS, PAD, UNK

NEVER_WRITTEN = (PAD, UNK, BOS)


class StepModel(Protocol[MemoryT, StateT]):
    """What decoding asks of a model."""

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> MemoryT:
        """Read a padded batch of source sentences; the lengths are on the CPU."""
        ...

    def start(self, memory: MemoryT) -> StateT:
        """The state before the first token."""
        ...

    def step(self, tokens_B: Tensor, memory: MemoryT, state: StateT) -> tuple[Tensor, StateT]:
        """logits_BV of the token after `tokens_B`, and the state to go on from."""
        ...


def longest_translation(source_tokens: int) -> int:
    """How many target tokens a source of that many tokens may become, at most: 2 n + 20."""
    return 2 * source_tokens + 20


def writable(logits_BV: Tensor) -> Tensor:
    """A float32 copy of the logits in which the tokens that no translation contains are ruled out."""
    never = torch.tensor(NEVER_WRITTEN, device=logits_BV.device)
    return logits_BV.float().index_fill(1, never, -torch.inf)


def likeliest(logits_BV: Tensor, count: int) -> Tensor:
    """tokens_BC: the `count` likeliest, best first. Greedy and beam search both choose here, so that ties agree."""
    return logits_BV.topk(min(count, logits_BV.shape[1]), 1).indices


@torch.inference_mode()
def greedy(
    model: StepModel[MemoryT, StateT], source_BS: Tensor, source_lengths_B: Tensor, max_lengths_B: Tensor
) -> list[list[int]]:
    """The likeliest next token, one after another, until EOS or `max_lengths_B` tokens; EOS is left out.

    The lengths are int64 on the CPU, each at least 1. A finished sentence leaves the batch, so that no step works
    on it any more. The caller sees to `model.eval()`.
    """
    translations: list[list[int]] = [[] for _ in range(len(source_BS))]
    limits = max_lengths_B.tolist()
    memory = model.encode(source_BS, source_lengths_B)
    state = model.start(memory)
    tokens_B = torch.full((len(source_BS),), BOS, device=source_BS.device)
    live = list(range(len(source_BS)))
    while live:
        logits_BV, state = model.step(tokens_B, memory, state)
        tokens_B = likeliest(writable(logits_BV), 1)[:, 0]
        kept = []
        for row, (sentence, token) in enumerate(zip(live, tokens_B.tolist(), strict=True)):
            if token != EOS:
                translations[sentence].append(token)
                if len(translations[sentence]) < limits[sentence]:
                    kept.append(row)
        if len(kept) < len(live):
            live = [live[row] for row in kept]
            rows_N = torch.tensor(kept, dtype=torch.int64, device=tokens_B.device)
            tokens_B, memory, state = tokens_B[rows_N], memory.select(rows_N), state.select(rows_N)
    return translations
