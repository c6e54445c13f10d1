"""Greedy decoding, and what it shares with beam search and forced decoding (training needs greedy alone).

Decoding needs a model only as a pure step, (token, state) -> (scores of the next token, state), whose tensors
all have the batch as their first dimension; it knows no network.

Shapes in names: B sentences, S source positions, T tokens, V target vocabulary size, K hypotheses of a sentence,
N hypotheses that are being decoded, M those of them that go on; in `likeliest` C chosen ones, L elements of a block.
"""

import math

import torch
from torch import Tensor

from seq2seq.models.linear import recurring
from seq2seq.models.memory import MemoryT, StateT, StepModel
from seq2seq.subwords.special_tokens import BOS, EOS, PAD, UNK

NEVER_WRITTEN = (PAD, UNK, BOS)
"""The first ids of all."""
BLOCK = 64
"""Scores whose greatest is found before any are ranked (see `likeliest`)."""
CACHED = 2**18
"""Numbers of float32 that are worked through at once: a mebibyte."""
SMALLEST_SUM = 1e-20
"""Far from where float32 has fewer digits."""


def longest_translation(source_tokens: int) -> int:
    """How many target tokens a source of that many tokens may become, at most: 2 n + 20."""
    return 2 * source_tokens + 20


def log_partition(logits_NV: Tensor) -> Tensor:
    """log Σ exp of each row of float32: what is taken from a logit to make it a log-probability.

    On a CPU a few rows at a time, which stay in its cache, and as they are: logits have a size of some tens, and the
    sums of their exponentials fit into float32. Where they do not, the greatest logit is subtracted first.
    """
    if logits_NV.device.type != "cpu":
        return logits_NV.logsumexp(1)
    rows = max(1, CACHED // logits_NV.shape[1])
    sums_N = torch.cat([logits_MV.exp().sum(1) for logits_MV in torch.split(logits_NV, rows)])
    least, most = sums_N.aminmax()
    return sums_N.log() if least > SMALLEST_SUM and most < math.inf else logits_NV.logsumexp(1)


def forbid(scores_NV: Tensor) -> None:
    """Rule out, in place, the tokens that no translation contains."""
    scores_NV[:, : len(NEVER_WRITTEN)].fill_(-torch.inf)


def likeliest(scores_BKV: Tensor, totals_BK: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` best of `totals_BK + scores_BKV` in each of B groups, and their places among the K * V, best first.

    Greedy and beam search both choose here, so that ties agree. The best of a group lie in those `count` blocks
    whose best elements are best: only the block maxima and the elements of these blocks are ranked.
    """
    if count == scores_BKV.shape[1] == 1:
        scores_B1, places_B1 = scores_BKV.max(2)
        return totals_BK + scores_B1, places_B1
    groups, width, size = scores_BKV.shape
    maxima_BM = (totals_BK[:, :, None] + _block_maxima(scores_BKV)).flatten(1)
    blocks_BC = maxima_BM.topk(min(count, maxima_BM.shape[1]), 1).indices
    blocks_per_row = maxima_BM.shape[1] // width
    rows_BC1 = (blocks_BC // blocks_per_row)[:, :, None]
    columns_BCL = (blocks_BC % blocks_per_row)[:, :, None] * BLOCK + torch.arange(BLOCK, device=blocks_BC.device)
    inside_BCL = columns_BCL.clamp(max=size - 1)
    groups_B11 = torch.arange(groups, device=blocks_BC.device)[:, None, None]
    found_BCL = scores_BKV[groups_B11, rows_BC1, inside_BCL] + totals_BK[groups_B11, rows_BC1]
    found_BCL.masked_fill_(columns_BCL >= size, -torch.inf)
    best_BC, chosen_BC = found_BCL.flatten(1).topk(min(count, width * size), 1)
    return best_BC, (rows_BC1 * size + inside_BCL).flatten(1).gather(1, chosen_BC)


def _block_maxima(scores_BKV: Tensor) -> Tensor:
    """The greatest of each `BLOCK` scores in turn; the last block may be smaller."""
    whole = scores_BKV.shape[2] // BLOCK * BLOCK
    maxima = [scores_BKV[:, :, :whole].view(*scores_BKV.shape[:2], -1, BLOCK).amax(3)] if whole else []
    if whole < scores_BKV.shape[2]:
        maxima.append(scores_BKV[:, :, whole:].amax(2, True))
    return torch.cat(maxima, 2)


def rows_that_go_on(live_N: Tensor) -> Tensor:
    """Rows to decode further: the live ones first, and as many finished ones as make their number a `recurring` one.

    So a batch shrinks in few steps. Leaving costs a copy of all that is known of a source, and a number of rows that
    was not met before costs oneDNN new kernels, both of them more than a step of some finished rows.
    """
    count = recurring(sum(live_N.tolist()), bits=2)
    if count >= len(live_N):
        return torch.arange(len(live_N), device=live_N.device)
    return live_N.to(torch.uint8).argsort(descending=True, stable=True)[:count]


@torch.inference_mode()
def greedy(
    model: StepModel[MemoryT, StateT], source_BS: Tensor, source_lengths_B: Tensor, max_lengths_B: Tensor
) -> list[list[int]]:
    """The likeliest next token, one after another, until EOS or `max_lengths_B` tokens; EOS is left out.

    The lengths are int64 on the CPU, each at least 1. Finished sentences leave the batch (see `rows_that_go_on`).
    The caller sees to `model.eval()`.
    """
    memory = model.encode(source_BS, source_lengths_B)
    state = model.start(memory)
    tokens_N = torch.full((len(source_BS),), BOS, device=source_BS.device)
    sentences_N = torch.arange(len(source_BS), device=source_BS.device)
    limits_N = max_lengths_B.to(source_BS.device)
    live_N = torch.ones_like(sentences_N, dtype=torch.bool)
    written_BT = torch.full((len(source_BS), max(max_lengths_B.tolist(), default=0)), EOS, device=source_BS.device)
    for time in range(written_BT.shape[1]):
        logits_NV, state = model.step(tokens_N, memory, state)
        tokens_N = _best_tokens(logits_NV).masked_fill_(~live_N, EOS)
        written_BT[:, time].index_copy_(0, sentences_N, tokens_N)
        live_N = (tokens_N != EOS) & (limits_N > time + 1)
        rows_M = rows_that_go_on(live_N)
        if not len(rows_M):
            break
        if len(rows_M) < len(tokens_N):
            tokens_N, sentences_N, limits_N = tokens_N[rows_M], sentences_N[rows_M], limits_N[rows_M]
            live_N, memory, state = live_N[rows_M], memory.select(rows_M), state.select(rows_M)
    lengths = (written_BT != EOS).sum(1).tolist()
    return [row[:length] for row, length in zip(written_BT.tolist(), lengths, strict=True)]


def _best_tokens(logits_NV: Tensor) -> Tensor:
    forbid(logits_NV)
    return logits_NV.max(1).indices
