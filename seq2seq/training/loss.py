"""Label-smoothed cross-entropy and R-Drop of the output layer, without ever holding all of its logits.

The output layer is half of the work and most of the memory of a translation model: N tokens times V words of
logits, their softmax and their gradient. Here the layer and its loss are one function that goes through the
tokens in chunks and keeps only the gradients of what goes in, computed on the way (as in Cut Your Losses,
Wijmans et al. 2025, section 4, and Liger's fused kernel, on plain matrix products).

Shapes in names: N real target tokens, F feature size, V vocabulary size, C tokens of a chunk,
R rows of its products (C, `rounded`).
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from seq2seq.models.linear import product, rounded

CHUNK_TOKENS, PART_ROWS = 512, 256
"""Tokens of a chunk; the rows of a smaller last one are `rounded` up to a multiple of the second."""
SMALLEST = torch.finfo(torch.float32).tiny
"""Smaller probabilities count as this one in the value of a loss: no token costs more than 87 nats."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Summed loss, and the plain negative log-likelihood beside it (no gradient flows through that one).

    Label smoothing's uniform part needs no pass over the logits: their mean, and its gradient of -smoothing / V for
    each of them, are linear in what goes in.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features_NF: Tensor,
        weight_VF: Tensor,
        bias_V: Tensor,
        targets_N: Tensor,
        smoothing: float,
        r_drop: float,
        dtype: torch.dtype,
        learn: bool,
    ) -> tuple[Tensor, Tensor]:
        features_NF, weight, bias = (tensor.to(dtype) for tensor in (features_NF, weight_VF, bias_V))
        share = smoothing / len(weight_VF)
        sum_F = features_NF.sum(0, dtype=weight_VF.dtype)
        rows_F = weight_VF.sum(0)
        grad_features_NF = torch.empty_like(features_NF)
        grad_weight_VF = (-share * sum_F).expand_as(weight_VF).contiguous()
        grad_bias_V = torch.full_like(bias_V, -share * len(features_NF))
        loss = -share * (sum_F @ rows_F + len(features_NF) * bias_V.sum())
        nll = torch.zeros_like(loss)
        for rows in _chunks(len(features_NF), copies=2 if r_drop else 1):
            features_CF = torch.cat([features_NF[part] for part in rows])
            right_C1 = torch.cat([targets_N[part] for part in rows])[:, None]
            features_RF = rounded(features_CF, PART_ROWS)
            logits_CV = product(features_RF, weight, bias)[: len(features_CF)]
            right_logits_C1 = logits_CV.gather(1, right_C1).to(nll.dtype)
            if r_drop:
                divergence, probabilities_CV, grad_CV = _divergence(logits_CV.to(nll.dtype))
                loss += r_drop * divergence
                grad_CV = grad_CV.mul_(r_drop).add_(probabilities_CV).to(dtype)
            else:
                grad_CV = probabilities_CV = logits_CV.softmax(-1)
            chunk_nll_C1 = -probabilities_CV.gather(1, right_C1).to(nll.dtype).clamp_min(SMALLEST).log()
            nll += chunk_nll_C1.sum()
            # log Z, the logarithm of the softmax' divisor, is nll + logit of the right token.
            loss += chunk_nll_C1.sum() + smoothing * right_logits_C1.sum()
            if not learn:
                continue
            # By index: scatter_add_ copies the whole chunk.
            grad_CV[torch.arange(len(grad_CV), device=grad_CV.device), right_C1[:, 0]] += smoothing - 1
            grad_bias_V += grad_CV.sum(0)
            grad_RV = rounded(grad_CV, PART_ROWS)
            grad_weight_VF += product(grad_RV.T, features_RF.T)
            grad_features_CF = product(grad_RV, weight.T)[: len(grad_CV)].sub_((share * rows_F).to(dtype))
            for part, grad_PF in zip(rows, grad_features_CF.chunk(len(rows)), strict=True):
                grad_features_NF[part] = grad_PF
        ctx.save_for_backward(grad_features_NF, grad_weight_VF, grad_bias_V)
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        scale = grads[0]
        if scale.device.type == "cpu" and scale == 1:  # on CUDA a look at the number would wait for it
            return *ctx.saved_tensors, *[None] * 5
        return *(tensor * scale.to(tensor.dtype) for tensor in ctx.saved_tensors), *[None] * 5


def _chunks(count: int, copies: int) -> Iterator[list[slice]]:
    """Rows of at most CHUNK_TOKENS / copies tokens, the same of each copy; copies follow one another."""
    length, step = count // copies, CHUNK_TOKENS // copies
    for start in range(0, length, step):
        end = min(start + step, length)
        yield [slice(copy * length + start, copy * length + end) for copy in range(copies)]


def _divergence(logits_CV: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(KL(p|q) + KL(q|p)) / 2 of the two halves' predictions p and q, summed; all predictions; the gradient.

    With d = log p - log q, KL(p|q) = sum p d and KL(q|p) = -sum q d, the gradient of their sum by the logits of p is
    p (d - KL(p|q)) + p - q, and by those of q the same with both exchanged.
    """
    logs_CV = logits_CV.log_softmax(-1)
    both_CV = logs_CV.exp()
    p, q = both_CV.chunk(2)
    d = logs_CV[: len(p)] - logs_CV[len(p) :]
    forward, backward = (p * d).sum(-1, keepdim=True), -(q * d).sum(-1, keepdim=True)
    grad_CV = torch.cat([p * (d - forward) + p - q, q * (-d - backward) + q - p]).mul_(0.5)
    return 0.5 * (forward.sum() + backward.sum()), both_CV, grad_CV


def linear_cross_entropy(
    features_NF: Tensor,
    weight_VF: Tensor,
    bias_V: Tensor,
    targets_N: Tensor,
    smoothing: float = 0.0,
    r_drop: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """(loss, nll), each summed over the N tokens, in nats; `nll` is the right tokens' alone and has no gradient.

    Label smoothing (Szegedy et al. 2016, section 7): the target distribution is 1 - smoothing on the right token
    plus smoothing spread evenly over the vocabulary, so that a token's loss is (1 - smoothing) * nll + smoothing *
    mean over V of -log p.

    R-Drop (Liang et al. 2021, equation 4): the rows are the same tokens twice, all of the first copy before all of
    the second, from two passes with different dropout. The loss is that of both copies, plus `r_drop` (their alpha)
    times the mean of both Kullback-Leibler divergences between their predictions, smoothing left aside.

    The products run in the autocast type where autocast is on, and so does the softmax, whose sums and exponentials
    are float32 within; R-Drop's divergence is float32 throughout.
    """
    kind = features_NF.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight_VF.dtype
    with torch.autocast(kind, enabled=False):
        loss, nll = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            features_NF, weight_VF, bias_V, targets_N, smoothing, r_drop, dtype, torch.is_grad_enabled()
        )
    return loss, nll
