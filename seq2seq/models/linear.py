"""Linear maps, done by what does them fastest.

In single time steps few rows meet the same large matrix again and again. A `LinearMaker` decides how such a map is
done; the steps of a model go through whichever they are given. Shapes in names: N rows, O outputs, I inputs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Linear = Callable[[Tensor], Tensor]
"""rows_NI -> rows_NO."""
LinearMaker = Callable[[Tensor, Tensor | None], Linear]
"""weight_OI, bias_O -> x Wᵀ + b."""

TYPICAL_ROWS = 64
LARGE = 2**18
"""Weights of a map from which on it is worth oneDNN's while to make a kernel for each new number of rows."""


def plain(weight_OI: Tensor, bias_O: Tensor | None) -> Linear:
    """On the weights as they are at each call; gradients flow."""
    return partial(functional.linear, weight=weight_OI, bias=bias_O)


def packed(dtype: torch.dtype) -> LinearMaker:
    """On a copy of the weights in `dtype`, laid out once as oneDNN's kernels read them.

    Without that oneDNN lays them out anew at each call, which for one row takes longer than the product.
    """

    def make(weight_OI: Tensor, bias_O: Tensor | None) -> Linear:
        weight_OI = weight_OI.detach().to(dtype).contiguous()
        bias_O = None if bias_O is None else bias_O.detach().to(dtype)
        if not _onednn_packs(weight_OI):
            return lambda rows_NI: functional.linear(rows_NI.to(dtype), weight_OI, bias_O)
        blocks = torch.ops.mkldnn._reorder_linear_weight(weight_OI, TYPICAL_ROWS)
        multiply = torch.ops.mkldnn._linear_pointwise.default
        return lambda rows_NI: multiply(rows_NI.to(dtype), blocks, bias_O, "none", [], "")

    return make


def product(rows_NI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, through which no gradient flows; either factor may be a transposed view.

    PyTorch gives products of float32 on a CPU to MKL, which gets half of what a processor of another maker than its own
    can do (LAB.md, "Products in float32"): large ones go to oneDNN instead, which has bf16's already.
    """
    if _faster_by_onednn(rows_NI, weight_OI):
        found: Tensor = torch.ops.mkldnn._linear_pointwise(rows_NI, weight_OI, bias_O, "none", [], "")
        return found
    return functional.linear(rows_NI, weight_OI, bias_O)


class _Linear(torch.autograd.Function):
    """`product` with its gradients, which are products, too."""

    @staticmethod
    def forward(ctx: Any, rows_XI: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows_XI, weight_OI)
        return product(rows_XI, weight_OI, bias_O)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        rows_XI, weight_OI = ctx.saved_tensors
        outputs, inputs = weight_OI.shape
        grad_NO, rows_NI = grads[0].reshape(-1, outputs), rows_XI.reshape(-1, inputs)
        grad_bias_O = grad_NO.sum(0) if ctx.needs_input_grad[2] else None
        grad_rows_NI = product(grad_NO, weight_OI.T)
        return grad_rows_NI.view(rows_XI.shape), product(grad_NO.T, rows_NI.T), grad_bias_O


class LinearLayer(nn.Linear):
    """PyTorch's, whose float32 products on a CPU are done as `product` does them, where that is faster."""

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b, for an input of any number of dimensions."""
        as_it_is = torch.is_autocast_enabled(input.device.type) or torch.compiler.is_compiling()
        if as_it_is or not _faster_by_onednn(input, self.weight):
            return super().forward(input)
        found: Tensor = _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]  # torch's is untyped
        return found


def _faster_by_onednn(rows_XI: Tensor, weight_OI: Tensor) -> bool:
    large = weight_OI.numel() >= LARGE and rows_XI.numel() > 0
    return large and rows_XI.dtype == torch.float32 and _onednn_packs(weight_OI)


def _onednn_packs(weight_OI: Tensor) -> bool:
    if weight_OI.device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    return weight_OI.dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
