"""Label-smoothed cross-entropy of the output layer, without ever holding all of its logits.

The output layer is half of the work and most of the memory of a translation model: N tokens times V words of
logits, their softmax and their gradient. Here the layer and its loss are one function that goes through the
tokens in chunks and keeps only the gradients of what goes in, computed on the way (as in Cut Your Losses,
Wijmans et al. 2025, section 4, and Liger's fused kernel, on plain matrix products).

Shapes in names: N real target tokens, F feature size, V vocabulary size, C tokens of a chunk.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CHUNK_TOKENS = 512


class _LinearCrossEntropy(torch.autograd.Function):
    """Summed loss, and the plain negative log-likelihood beside it (no gradient flows through that one)."""

    @staticmethod
    def forward(
        ctx: Any,
        features_NF: Tensor,
        weight_VF: Tensor,
        bias_V: Tensor,
        targets_N: Tensor,
        smoothing: float,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        features_NF, weight = features_NF.to(dtype), weight_VF.to(dtype)
        grad_features_NF = torch.empty_like(features_NF)
        grad_weight_VF, grad_bias_V = torch.zeros_like(weight_VF), torch.zeros_like(bias_V)
        loss, nll = torch.zeros((), device=weight.device), torch.zeros((), device=weight.device)
        for start in range(0, len(targets_N), CHUNK_TOKENS):
            chunk = slice(start, start + CHUNK_TOKENS)
            features_CF = features_NF[chunk]
            logits_CV = functional.linear(features_CF, weight, bias_V.to(dtype)).float()
            chunk_loss, chunk_nll, grad_CV = _smoothed_loss(logits_CV, targets_N[chunk], smoothing)
            loss += chunk_loss
            nll += chunk_nll
            grad_bias_V += grad_CV.sum(0)
            grad_low_CV = grad_CV.to(dtype)
            torch.mm(grad_low_CV, weight, out=grad_features_NF[chunk])
            grad_weight_VF += grad_low_CV.T @ features_CF
        ctx.save_for_backward(grad_features_NF, grad_weight_VF, grad_bias_V)
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_features_NF, grad_weight_VF, grad_bias_V = ctx.saved_tensors
        scale = grads[0]
        return (
            grad_features_NF * scale.to(grad_features_NF.dtype),
            grad_weight_VF * scale,
            grad_bias_V * scale,
            *[None] * 3,
        )


def _smoothed_loss(logits_CV: Tensor, targets_C: Tensor, smoothing: float) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, negative log-likelihood (both summed) and the loss' gradient; overwrites the logits.

    Szegedy et al. 2016, section 7: the target distribution is 1 - smoothing on the right token plus smoothing
    spread evenly over the vocabulary, so that loss = (1 - smoothing) * nll + smoothing * mean over V of -log p.
    """
    log_z_C = torch.logsumexp(logits_CV, -1)
    right_C1 = targets_C[:, None]
    nll = (log_z_C - logits_CV.gather(1, right_C1)[:, 0]).sum()
    loss = nll
    if smoothing:
        loss = (1 - smoothing) * nll + smoothing * (log_z_C - logits_CV.mean(-1)).sum()
    grad_CV = logits_CV.sub_(log_z_C[:, None]).exp_()
    if smoothing:
        grad_CV -= smoothing / logits_CV.shape[1]
    grad_CV.scatter_add_(1, right_C1, torch.full_like(right_C1, smoothing - 1, dtype=grad_CV.dtype))
    return loss, nll, grad_CV


def linear_cross_entropy(
    features_NF: Tensor, weight_VF: Tensor, bias_V: Tensor, targets_N: Tensor, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """(loss, nll), each summed over the N tokens, in nats; `nll` is free of smoothing and has no gradient.

    The products run in the autocast type where autocast is on, sums and exponentials always in float32.
    """
    kind = features_NF.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight_VF.dtype
    with torch.autocast(kind, enabled=False):
        loss, nll = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            features_NF, weight_VF, bias_V, targets_N, smoothing, dtype
        )
    return loss, nll
