"""Matrix products in 8-bit integers, for decoding on a CPU.

Dynamic quantization (Bhandare et al. 2019 for translation; Dettmers et al. 2022, section 2.1, for a scale for each row
and each column): a weight matrix has one scale for each output, set once; the rows that meet it have one each, set
when they come, or one for all where their range is known. Products are summed exactly, so that a row's result does not
depend on the rows beside it, but for the last bit.

What holds the time but no large matrix (the products of attention, the recurrences of an encoder) stays in floating
point.
Shapes in names: N rows, O outputs, I inputs.
"""

import platform
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.device import computes_in_bf16
from seq2seq.errors import ConfigError
from seq2seq.models.linear import Linear, Map, on_rounded
from seq2seq.models.memory import StepModel
from seq2seq.models.seq2seq import Seq2Seq

ROW_LIMIT, ROW_ZERO = 127, 128
"""Rows are whole numbers of -127 to 127, held as 1 to 255: the processor multiplies unsigned by signed bytes."""
WEIGHT_LIMIT = 127
WEIGHT_LIMIT_WITHOUT_VNNI = 63
"""Where pairs of products are summed in 16 bits: 2 * 255 * 63 still fits."""
ALIGNED = 64
"""oneDNN's kernels are up to a third slower for a number of outputs that is no multiple of it."""
VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")


def int8_runs() -> bool:
    """Whether this machine's processor has oneDNN's kernels for int8; elsewhere they are thousands of times slower."""
    return platform.machine() in ("x86_64", "AMD64") and torch._C._has_mkldnn


def quantized(model: Seq2Seq[Any, Any]) -> StepModel[Any, Any]:
    """The model with its linear maps in int8, for decoding. The model itself stays as it is.

    An encoder's recurrent layers are held in bf16 where the processor computes in it, which saves a conversion for
    each call: use the result under `autocast("auto", ...)`.
    Raises ConfigError for a model that is not on a CPU, and where int8 does not run.
    """
    if model.output.weight.device.type != "cpu" or not int8_runs():
        raise ConfigError("int8 is for x86 processors: set the device to cpu on one of these, or leave int8 out.")
    model = deepcopy(model)
    stepper = model.for_decoding(int8, int8_of_bounded)
    if stepper is not model and isinstance(stepper, nn.Module):  # a twin of the model, all of whose maps are made
        return stepper
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear) and child.out_features > 1:
                setattr(module, name, Map(int8(child.weight, child.bias)))
            elif isinstance(child, nn.RNNBase) and computes_in_bf16(torch.device("cpu")):
                child.to(torch.bfloat16)
    return stepper


def int8(weight_OI: Tensor, bias_O: Tensor | None) -> Linear:
    """x Wᵀ + b with x and W in int8 (a `LinearMaker`); gives the type that it gets, and computes b in float32."""
    shift_O = torch.zeros(len(weight_OI)) if bias_O is None else bias_O.detach().float()
    sums = _product(weight_OI, None, 1.0)

    def apply(rows_NI: Tensor) -> Tensor:
        floats_NI = rows_NI.float()
        scales_N1 = (floats_NI.abs().amax(-1, True) / ROW_LIMIT).clamp_min_(torch.finfo(torch.float32).tiny)
        sums_NO = on_rounded(sums, _bytes(floats_NI / scales_N1))
        return torch.addcmul(shift_O, sums_NO, scales_N1, out=sums_NO).to(rows_NI.dtype)

    return apply


def int8_of_bounded(weight_OI: Tensor, bias_O: Tensor | None) -> Linear:
    """`int8` for rows that hold nothing beyond -1 and 1: one scale for all, so that the product is all there is to do.

    Features that tanh made reach to the ends of that range in nearly each row: nothing is lost by it (LAB.md).
    """
    multiply = _product(weight_OI, bias_O, 1 / ROW_LIMIT)
    return lambda rows_NI: on_rounded(multiply, _bytes(rows_NI.float() * ROW_LIMIT)).to(rows_NI.dtype)


def _bytes(whole_NI: Tensor) -> Tensor:
    """Numbers of -127 to 127, rounded, as the processor takes them."""
    return whole_NI.add_(ROW_ZERO + 0.5).to(torch.uint8)


def _product(weight_OI: Tensor, bias_O: Tensor | None, row_scale: float) -> Linear:
    """bytes_NI -> (bytes - ROW_ZERO) * row_scale Wᵀ + b in float32."""
    weight_OI, limit = weight_OI.detach().float(), _weight_limit()
    scales_O = (weight_OI.abs().amax(1) / limit).clamp_min(torch.finfo(torch.float32).tiny)
    whole_OI = (weight_OI / scales_O[:, None]).round().to(torch.int8)
    outputs, missing = len(whole_OI), -len(whole_OI) % ALIGNED
    packed = torch.ops.onednn.qlinear_prepack(functional.pad(whole_OI, (0, 0, 0, missing)), None)
    scales_O = functional.pad(scales_O, (0, missing))
    bias_O = None if bias_O is None else functional.pad(bias_O.detach().float(), (0, missing))
    zeros_O = torch.zeros(len(scales_O), dtype=torch.int64)
    multiply = torch.ops.onednn.qlinear_pointwise.default

    def apply(bytes_NI: Tensor) -> Tensor:
        return multiply(  # type: ignore[no-any-return]  # operators are untyped
            bytes_NI, row_scale, ROW_ZERO, packed, scales_O, zeros_O, bias_O, 1.0, 0, torch.float32, "none", [], ""
        )[..., :outputs]

    return apply


def _weight_limit() -> int:
    capabilities = torch.cpu.get_capabilities()
    return WEIGHT_LIMIT if any(capabilities.get(name) for name in VNNI) else WEIGHT_LIMIT_WITHOUT_VNNI
