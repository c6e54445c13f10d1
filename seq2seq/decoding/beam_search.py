"""Beam search over a batch of sentences, with length normalisation.

Shapes in names: B sentences still in the batch, S source positions, K hypotheses of a sentence, N = B * K,
T tokens so far (BOS included), V target vocabulary size, D all sentences of the batch, R the finished hypotheses that
are wanted of each, M sentences of B that are chosen.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.decoding.steps import forbid, likeliest, log_partition, rows_that_go_on
from seq2seq.models.memory import MemoryT, StateT, StepModel
from seq2seq.subwords.special_tokens import BOS, EOS


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
    count: int = 1,
) -> list[list[Hypothesis]]:
    """The `count` best finished hypotheses of each sentence, best first; fewer where no more have ended.

    At every step the `beam_size` likeliest continuations of a sentence are kept. Those that end in EOS compete by
    score for the sentence's best; the others go on. A hypothesis of `max_lengths_B` tokens can only end. With
    `beam_size` 1 this is greedy decoding.

    A sentence is decided, and may leave the batch (see `rows_that_go_on`), once the last of its best finished
    hypotheses scores no less than the best live one would if its very next token were EOS and cost nothing. Without
    length normalisation this never changes the result: log-probabilities can only fall. With it, a hypothesis that
    would overtake by growing longer still is not waited for. The exact bound (Huang et al. 2017, section 3: the
    longest length allowed in the place of the next) is half as slow again and gave a lower BLEU (LAB.md).

    The lengths are int64 on the CPU, each at least 1. The caller sees to `model.eval()`.
    """
    if not len(source_BS):
        return []
    memory = model.encode(source_BS, source_lengths_B)
    state = model.start(memory)
    search = _Search(max_lengths_B.to(source_BS.device), beam_size, length_penalty, count)
    while len(search.sentences_B):
        logits_NV, state = model.step(search.last_tokens(), memory, state)
        origins_BK = search.extend(logits_NV)
        search.settle()
        rows_M = rows_that_go_on(search.undecided_B)
        if len(rows_M) < len(origins_BK):
            origins_BK, memory = origins_BK[rows_M], memory.select(rows_M)
            search.keep(rows_M)
        state = state.select(origins_BK.flatten())
    return search.best()


class _Search:
    """The hypotheses of the sentences that are being decoded, and the best finished ones of every sentence."""

    def __init__(self, limits_D: Tensor, beam_size: int, length_penalty: float, count: int) -> None:
        sentences, device = len(limits_D), limits_D.device
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.shortest_limit = int(limits_D.min())
        self.limits_B = limits_D
        self.sentences_B = torch.arange(sentences, device=device)
        self.undecided_B = torch.ones(sentences, dtype=torch.bool, device=device)
        # One hypothesis at first: the beam fills up as soon as there are enough continuations.
        self.totals_BK = torch.zeros(sentences, 1, device=device)
        self.tokens_BKT = torch.full((sentences, 1, 1), BOS, device=device)
        self.best_scores_DR = torch.full((sentences, count), -math.inf, device=device)
        self.best_lengths_DR = torch.zeros(sentences, count, dtype=torch.int64, device=device)
        self.best_tokens_DRT = torch.full((sentences, count, int(limits_D.max()) + 1), EOS, device=device)

    def last_tokens(self) -> Tensor:
        """tokens_N that the model reads next."""
        return self.tokens_BKT[:, :, -1].flatten()

    def extend(self, logits_NV: Tensor) -> Tensor:
        """Put the likeliest continuations in the place of the hypotheses; gives the row (of N) each one continues."""
        sentences, width, length = self.tokens_BKT.shape
        vocabulary = logits_NV.shape[1]
        logits_NV = logits_NV.float()
        totals_BK = self.totals_BK - log_partition(logits_NV).view(sentences, width)
        forbid(logits_NV)
        logits_BKV = logits_NV.view(sentences, width, vocabulary)
        if length > self.shortest_limit:
            self._end_at_limits(logits_BKV)
        self.totals_BK, places_BK = likeliest(logits_BKV, totals_BK, self.beam_size)
        first_row_B1 = torch.arange(0, sentences * width, width, device=places_BK.device)[:, None]
        origins_BK = first_row_B1 + places_BK // vocabulary
        tokens_BK1 = (places_BK % vocabulary)[:, :, None]
        self.tokens_BKT = torch.cat([self.tokens_BKT.flatten(0, 1)[origins_BK], tokens_BK1], 2)
        return origins_BK

    def settle(self) -> None:
        """Let what ended compete for its sentence's best, until these are decided."""
        length = self.tokens_BKT.shape[2] - 1
        ended_BK = self.tokens_BKT[:, :, -1] == EOS
        scores_BK = self.totals_BK.masked_fill(~ended_BK, -math.inf) / length**self.length_penalty
        better_M = (self.undecided_B & (scores_BK.amax(1) > self._to_beat())).nonzero()[:, 0]
        if len(better_M):
            self._take(better_M, scores_BK[better_M])
        self.totals_BK = self.totals_BK.masked_fill(ended_BK, -math.inf)
        bounds_B = self.totals_BK.amax(1) / (length + 1) ** self.length_penalty
        self.undecided_B = self.undecided_B & (bounds_B > self._to_beat())

    def _to_beat(self) -> Tensor:
        """Scores (of B) that a hypothesis has to exceed to be wanted."""
        return self.best_scores_DR[self.sentences_B, -1]

    def _take(self, rows_M: Tensor, scores_MK: Tensor) -> None:
        """Rank what ended now (score above -inf) with the best so far, which win ties."""
        sentences_M, length = self.sentences_B[rows_M], self.tokens_BKT.shape[2] - 1
        ranked_MX = torch.cat([self.best_scores_DR[sentences_M], scores_MK], 1)
        ranked_MX, order_MX = ranked_MX.sort(dim=1, descending=True, stable=True)
        count = self.best_scores_DR.shape[1]
        chosen_MR = order_MX[:, :count]
        lengths_MK = torch.full_like(scores_MK, length - 1, dtype=torch.int64)
        lengths_MX = torch.cat([self.best_lengths_DR[sentences_M], lengths_MK], 1)
        tokens_MKT = torch.full((*scores_MK.shape, self.best_tokens_DRT.shape[2]), EOS, device=scores_MK.device)
        tokens_MKT[:, :, :length] = self.tokens_BKT[rows_M, :, 1:]
        tokens_MXT = torch.cat([self.best_tokens_DRT[sentences_M], tokens_MKT], 1)
        self.best_scores_DR[sentences_M] = ranked_MX[:, :count]
        self.best_lengths_DR[sentences_M] = lengths_MX.gather(1, chosen_MR)
        self.best_tokens_DRT[sentences_M] = tokens_MXT.take_along_dim(chosen_MR[:, :, None], 1)

    def keep(self, rows_M: Tensor) -> None:
        """Drop the sentences in all other rows (of B)."""
        self.sentences_B, self.limits_B = self.sentences_B[rows_M], self.limits_B[rows_M]
        self.undecided_B = self.undecided_B[rows_M]
        self.totals_BK, self.tokens_BKT = self.totals_BK[rows_M], self.tokens_BKT[rows_M]

    def best(self) -> list[list[Hypothesis]]:
        """The winners of each sentence: those that have ended, and at least one."""
        columns = self.best_tokens_DRT.tolist(), self.best_lengths_DR.tolist(), self.best_scores_DR.tolist()
        ranked = (
            [Hypothesis(tokens[:length], score) for tokens, length, score in zip(*rows, strict=True)]
            for rows in zip(*columns, strict=True)
        )
        return [[first, *(one for one in others if one.score > -math.inf)] for first, *others in ranked]

    def _end_at_limits(self, logits_BKV: Tensor) -> None:
        """Only EOS can follow a hypothesis that holds as many tokens as its sentence may have."""
        full_M = (self.limits_B < self.tokens_BKT.shape[2]).nonzero()[:, 0]
        eos_MK = logits_BKV[full_M, :, EOS]
        logits_BKV[full_M] = -math.inf
        logits_BKV[full_M, :, EOS] = eos_MK
