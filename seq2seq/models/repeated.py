"""Products with what is the same in all steps of a sequence: weights, and a source's keys and values.

Autograd would compute the gradient of such a factor in each step, as large as the factor, and add them all up. Here a
step's backward pass leaves behind what the gradient is made of, and one product over all steps gives the sum.

Shapes in names: N rows, B batch, Q rows of each in the batch, I inputs, O outputs, X any leading dimensions; a factor
is OI, or BOI where each in the batch has its own.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seq2seq.models.linear import Linear, product, rounded

Calls = list[tuple[Tensor, Tensor]]
"""The rows of each call that the backward pass has met, and the gradient of what they gave."""


class Repeated:
    """x Fᵀ + b for many x and one F, in the autocast type where autocast is on; gradients flow."""

    def __init__(self, factor: Tensor, bias_O: Tensor | None = None) -> None:
        kind = factor.device.type
        self._dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else factor.dtype
        self._calls: Calls = []
        bias_O = None if bias_O is None else bias_O.to(self._dtype)
        self._factor, self._bias = _Opened.apply(factor.to(self._dtype), bias_O, self._calls)  # type: ignore[no-untyped-call]  # torch's is untyped

    def __call__(self, rows: Tensor) -> Tensor:
        """rows_NI -> rows_NO, or rows_BQI -> rows_BQO with a factor for each in the batch."""
        found: Tensor = _Call.apply(rows.to(self._dtype), self._factor, self._bias, self._calls)  # type: ignore[no-untyped-call]  # torch's is untyped
        return found


def repeated(weight_OI: Tensor, bias_O: Tensor | None) -> Linear:
    """A `LinearMaker` for the steps of a sequence in training: on the weights as they are now."""
    call = Repeated(weight_OI, bias_O)

    def linear(rows_XI: Tensor) -> Tensor:
        return call(rows_XI.flatten(0, -2)).view(*rows_XI.shape[:-1], len(weight_OI))

    return linear


class RepeatedProducts:
    """`torch.bmm`, for calls whose second factor is one of few tensors."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Tensor, Repeated]] = {}

    def __call__(self, rows_BQI: Tensor, factor_BIO: Tensor) -> Tensor:
        """rows_BQO. The same place in memory, laid out in the same way, is the same factor."""
        place = factor_BIO.data_ptr(), factor_BIO.shape, factor_BIO.stride()
        if place not in self._known:
            self._known[place] = factor_BIO, Repeated(factor_BIO.mT)
        return self._known[place][1](rows_BQI)


class _Opened(torch.autograd.Function):
    """The factor and its bias, as they are; their gradients come from all calls at once."""

    @staticmethod
    def forward(ctx: Any, factor: Tensor, bias_O: Tensor | None, calls: Calls) -> tuple[Tensor, Tensor | None]:
        ctx.calls = calls
        return factor.view_as(factor), None if bias_O is None else bias_O.view_as(bias_O)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        rows, outer = (torch.cat(parts, -2) for parts in zip(*ctx.calls, strict=True))
        ctx.calls.clear()
        if rows.ndim == 3:
            return torch.bmm(outer.mT, rows), None, None
        grad_bias_O = outer.sum(0) if ctx.needs_input_grad[1] else None
        return product(rounded(outer).T, rounded(rows).T), grad_bias_O, None


class _Call(torch.autograd.Function):
    """One product; factor and bias get their gradients from `_Opened`, whose backward runs after that of all calls."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, factor: Tensor, bias_O: Tensor | None, calls: Calls) -> Tensor:
        ctx.calls = calls
        ctx.save_for_backward(rows, factor)
        return _times(rows, factor, bias_O)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None, None]:
        rows, factor = ctx.saved_tensors
        ctx.calls.append((rows, grads[0]))
        return _times(grads[0], factor.mT) if ctx.needs_input_grad[0] else None, None, None, None


def _times(rows: Tensor, factor: Tensor, bias_O: Tensor | None = None) -> Tensor:
    if factor.ndim == 3:
        return torch.bmm(rows, factor.mT)
    return product(rounded(rows), factor, bias_O)[: len(rows)]
