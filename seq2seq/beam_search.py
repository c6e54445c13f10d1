"""Beam search over a batch of sentences, with length normalisation and exact late stopping.

Shapes in names: B sentences still being decoded, S source positions, K hypotheses of a sentence, N = B * K,
C continuations of a hypothesis, T tokens so far (BOS included), V target vocabulary size.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.decoding import StepModel, likeliest, writable
from seq2seq.models.memory import MemoryT, StateT
from seq2seq.special_tokens import BOS, EOS


class Hypothesis(NamedTuple):
    """A finished translation."""

    tokens: list[int]
    """Without BOS and EOS."""
    score: float
    """log p(tokens, EOS | source) / (number of tokens, EOS included) ** length_penalty."""


@torch.inference_mode()
def beam_search(
    model: StepModel[MemoryT, StateT],
    source_BS: Tensor,
    source_lengths_B: Tensor,
    max_lengths_B: Tensor,
    beam_size: int,
    length_penalty: float,
) -> list[Hypothesis]:
    """The best finished hypothesis of each sentence.

    At every step the `beam_size` likeliest continuations of a sentence are kept. Those that end in EOS compete by
    score for the sentence's best; the others go on. A hypothesis of `max_lengths_B` tokens can only end. With
    `beam_size` 1 this is greedy decoding.

    A sentence is decided when no live hypothesis can still win. Its log-probability t can only fall, and in the end
    is divided by at most (max_length + 1) ** length_penalty: t over that is a bound on its score. Stopping there
    never changes the result. A decided sentence leaves the batch.

    The lengths are int64 on the CPU, each at least 1. The caller sees to `model.eval()`.
    """
    memory = model.encode(source_BS, source_lengths_B)
    state = model.start(memory)
    search = _Search(max_lengths_B.tolist(), beam_size, length_penalty, source_BS.device)
    while search.sentences:
        shape_before = search.totals_BK.shape
        logits_NV, state = model.step(search.last_tokens(), memory, state)
        origins_BK = search.extend(logits_NV)
        undecided = search.settle()
        rows_N = origins_BK[undecided].flatten()
        state = state.select(rows_N)
        if search.totals_BK.shape != shape_before:
            memory = memory.select(rows_N)
    return search.best


class _Search:
    """The hypotheses of the sentences that are not decided yet, and the best finished one of every sentence."""

    def __init__(self, limits: list[int], beam_size: int, length_penalty: float, device: torch.device) -> None:
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.limits = limits
        self.sentences = list(range(len(limits)))
        self.best = [Hypothesis([], -math.inf)] * len(limits)
        # One hypothesis at first: the beam fills up as soon as there are enough continuations.
        self.totals_BK = torch.zeros(len(limits), 1, device=device)
        self.tokens_BKT = torch.full((len(limits), 1, 1), BOS, device=device)

    def last_tokens(self) -> Tensor:
        """tokens_N that the model reads next."""
        return self.tokens_BKT[:, :, -1].flatten()

    def extend(self, logits_NV: Tensor) -> Tensor:
        """Put the likeliest continuations in the place of the hypotheses. Gives the row (of N) each one continues."""
        sentences, width, length = self.tokens_BKT.shape
        log_probs_NC, tokens_NC = _continuations(logits_NV, self._rows_at_limit(), self.beam_size)
        totals_BX = (self.totals_BK.view(-1, 1) + log_probs_NC).view(sentences, -1)
        self.totals_BK, choices_BK = totals_BX.topk(min(self.beam_size, totals_BX.shape[1]), 1)
        first_row_B1 = torch.arange(0, sentences * width, width, device=choices_BK.device)[:, None]
        origins_BK = first_row_B1 + choices_BK // tokens_NC.shape[1]
        tokens_BK1 = tokens_NC.view(sentences, -1).gather(1, choices_BK)[:, :, None]
        self.tokens_BKT = torch.cat([self.tokens_BKT.view(-1, length)[origins_BK], tokens_BK1], 2)
        return origins_BK

    def settle(self) -> list[int]:
        """Let what ended compete, drop the sentences that are decided; gives the rows (of B) of the others."""
        ended_BK = self.tokens_BKT[:, :, -1] == EOS
        ended_B, slots_B = self.totals_BK.masked_fill(~ended_BK, -math.inf).max(1)
        self.totals_BK = self.totals_BK.masked_fill(ended_BK, -math.inf)
        undecided = []
        for row, (ended, live) in enumerate(torch.stack([ended_B, self.totals_BK.amax(1)], 1).tolist()):
            sentence = self.sentences[row]
            score = self._score(ended, self.tokens_BKT.shape[2] - 1)
            if score > self.best[sentence].score:
                self.best[sentence] = Hypothesis(self.tokens_BKT[row, slots_B[row], 1:-1].tolist(), score)
            if self._score(live, self.limits[sentence] + 1) > self.best[sentence].score:
                undecided.append(row)
        self.sentences = [self.sentences[row] for row in undecided]
        self.totals_BK, self.tokens_BKT = self.totals_BK[undecided], self.tokens_BKT[undecided]
        return undecided

    def _rows_at_limit(self) -> list[int]:
        """Rows (of N) that hold as many tokens as their sentence may have: only EOS can follow."""
        _, width, length = self.tokens_BKT.shape
        full = [row for row, sentence in enumerate(self.sentences) if length > self.limits[sentence]]
        return [row * width + slot for row in full for slot in range(width)]

    def _score(self, total: float, length: int) -> float:
        return float(total / length**self.length_penalty)


def _continuations(logits_NV: Tensor, ending: list[int], count: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities and tokens, both NC, of each hypothesis' likeliest continuations; -inf for impossible ones.

    The `count` best of a sentence are among the `count` best of each of its hypotheses.
    """
    ranked_NV = writable(logits_NV)
    if ending:
        eos_logits_N = ranked_NV[ending, EOS]
        ranked_NV[ending] = -math.inf
        ranked_NV[ending, EOS] = eos_logits_N
    tokens_NC = likeliest(ranked_NV, count)
    log_probs_NC = logits_NV.float().log_softmax(1).gather(1, tokens_NC)
    return log_probs_NC.masked_fill(ranked_NV.gather(1, tokens_NC) == -math.inf, -math.inf), tokens_NC
