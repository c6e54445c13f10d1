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

from seq2seq.device import AMX

Linear = Callable[[Tensor], Tensor]
"""rows_XI -> rows_XO, of any leading shape X."""
LinearMaker = Callable[[Tensor, Tensor | None], Linear]
"""weight_OI, bias_O -> x Wᵀ + b."""

AVX512 = bool(torch.cpu.get_capabilities().get("avx512_f"))
"""Where oneDNN multiplies float32 faster than PyTorch's MKL; without, it is slower by a tenth to a fifth (LAB.md)."""
TYPICAL_ROWS = 64
LARGE = 2**18
"""Weights of a map from which on it is worth oneDNN's while to make a kernel for each new number of rows."""
TILED = torch.bfloat16, torch.uint8
"""What AMX multiplies, in tiles of TILE_ROWS rows."""
TILE_ROWS = 16


def recurring(count: int, multiple: int = 1, bits: int = 3) -> int:
    """The next multiple of `multiple`, a power of two, with no more than so many significant bits.

    Counts of anything become few different ones, which come again; with `multiple` 1 each grows by less than
    2 ** (1 - bits) of it.
    """
    step = max(multiple, 1 << max(0, count.bit_length() - bits))
    return -(-count // step) * step


def rounded(rows_NI: Tensor, multiple: int = TILE_ROWS) -> Tensor:
    """The rows, and after them as many rows of zeros as make their number a `recurring` multiple.

    oneDNN makes a kernel for each number of rows, and for AMX that takes longer than many a product (LAB.md,
    "Kernels for AMX"). Elsewhere, and where a tile is not full, the rows stay as they are.
    """
    count = len(rows_NI)
    if not AMX or count < TILE_ROWS or rows_NI.device.type != "cpu" or rows_NI.dtype not in TILED:
        return rows_NI
    missing = recurring(count, multiple) - count
    return functional.pad(rows_NI, (0, 0, 0, missing)) if missing else rows_NI


def on_rounded(linear: Linear, rows_XI: Tensor) -> Tensor:
    """What the map gives for rows of any leading shape, done on `rounded` rows."""
    rows_NI = rows_XI.reshape(-1, rows_XI.shape[-1])
    ready_RI = rounded(rows_NI)
    if len(ready_RI) == len(rows_NI):
        return linear(rows_XI)
    products_NO = linear(ready_RI)[: len(rows_NI)]
    return products_NO.view(*rows_XI.shape[:-1], products_NO.shape[-1])


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
        multiply = partial(_by_onednn, weight_OI=blocks, bias_O=bias_O)
        return lambda rows_NI: on_rounded(multiply, rows_NI.to(dtype))

    return make


def _by_onednn(rows_NI: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
    products_NO: Tensor = torch.ops.mkldnn._linear_pointwise.default(rows_NI, weight_OI, bias_O, "none", [], "")
    return products_NO


def product(rows_NI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, through which no gradient flows; either factor may be a transposed view.

    PyTorch gives products of float32 on a CPU to MKL, which gets half of what a processor of another maker than its own
    can do with AVX-512 (LAB.md, "Products in float32"): large ones go to oneDNN there, which has bf16's already.
    """
    if _faster_by_onednn(rows_NI, weight_OI):
        return _by_onednn(rows_NI, weight_OI, bias_O)
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
    """PyTorch's, whose products on a CPU are done as `product` does them, or under autocast on `rounded` rows."""

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b, for an input of any number of dimensions."""
        if torch.compiler.is_compiling():
            return super().forward(input)
        if torch.is_autocast_enabled(kind := input.device.type):
            return on_rounded(super().forward, input.to(torch.get_autocast_dtype(kind)))
        if not _faster_by_onednn(input, self.weight):
            return super().forward(input)
        found: Tensor = _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]  # torch's is untyped
        return found


class Map(nn.Module):
    """A map that was made once, in the place of a layer that is no longer trained."""

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self._linear = linear

    def forward(self, vectors: Tensor) -> Tensor:
        """The map on vectors of any leading shape."""
        return self._linear(vectors)


def _faster_by_onednn(rows_XI: Tensor, weight_OI: Tensor) -> bool:
    large = weight_OI.numel() >= LARGE and rows_XI.numel() > 0
    return AVX512 and large and rows_XI.dtype == torch.float32 and _onednn_packs(weight_OI)


def _onednn_packs(weight_OI: Tensor) -> bool:
    if weight_OI.device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    return weight_OI.dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
