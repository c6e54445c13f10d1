"""The processor that tensors live on, the precision that it computes in, and its random numbers."""

import contextlib
import ctypes
import os
from contextlib import AbstractContextManager

import torch

from seq2seq.cores import usable_cores
from seq2seq.errors import ConfigError
from seq2seq.settings.runtime import RuntimeSettings

AMX = bool(torch.cpu.get_capabilities().get("amx_bf16"))
"""Whether the processor multiplies bf16 and bytes in tiles. oneDNN takes 2 to 20 ms to make such a kernel, often longer
than the product itself takes (LAB.md, "Kernels for AMX"; see `seq2seq.models.linear.rounded`)."""
KERNEL_CACHES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"
"""Environment variables: kernels that oneDNN keeps, and those that PyTorch keeps beside them."""
FEW_KERNELS, TILE_KERNELS, DECODING_KERNELS = 8, 40, 64
"""How many. A step of decoding meets the same dozen again and again, an update of training new ones; with AMX it meets
three dozen, of which half come again. PyTorch's are always few."""
MALLOPT_TRIM_THRESHOLD, MALLOPT_MMAP_THRESHOLD = -1, -3
"""Names of glibc's malloc.h."""
KEPT_BYTES = 2**30


def training_kernels(precision: str) -> int:
    """Kernels that a training under `precision` (auto, bf16 or fp32) wants kept."""
    return TILE_KERNELS if AMX and precision != "fp32" else FEW_KERNELS


def configure(runtime: RuntimeSettings, rank: int = 0, kernels: int = FEW_KERNELS) -> torch.device:
    """Set up process `rank` of those that share the work and name its device.

    Raises ConfigError when CUDA is asked for and there is none.

    Matrix products of fp32 numbers on CUDA may round their factors to TF32 (10 bits of mantissa) where the tensor
    cores know it. On a CPU this changes nothing.

    oneDNN keeps a compiled kernel with packed weights for each shape it has met, 1,024 of them, and PyTorch as many
    again: with sentences of all lengths that came to 1 GiB in 500 batches. `kernels` of oneDNN's and few of PyTorch's
    are enough (LAB.md). The caches' sizes are read from the environment when they are first used in a process; what
    the user has set there stays.
    """
    for cache, size in zip(KERNEL_CACHES, (kernels, FEW_KERNELS), strict=True):
        os.environ.setdefault(cache, str(size))
    _keep_freed_memory()
    torch.set_num_threads(runtime.threads or usable_cores())
    device = device_of(runtime, rank)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.cuda.set_device(device)
    return device


def device_of(runtime: RuntimeSettings, rank: int = 0) -> torch.device:
    """The device of process `rank`, nothing set up yet. Raises ConfigError when CUDA is asked for and there is none."""
    return torch.device("cuda", rank) if _uses_cuda(runtime) else torch.device("cpu")


def process_count(runtime: RuntimeSettings) -> int:
    """Processes that share a training: as many as asked for; on CUDA one a device, and ConfigError for more."""
    if _uses_cuda(runtime) and runtime.processes > (devices := torch.cuda.device_count()):
        raise ConfigError(
            f"runtime.processes = {runtime.processes} asks for a CUDA device each, and PyTorch sees {devices} here: "
            f"set runtime.processes to {devices} or less, or runtime.device to cpu."
        )
    return runtime.processes


def description(runtime: RuntimeSettings, precision: str) -> str:
    """What a training under these settings computes with, for people: `cpu, fp32, 2 threads`. Raises ConfigError."""
    device = device_of(runtime)
    products = "bf16" if product_type(precision, device) == torch.bfloat16 else "fp32"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"{f'{runtime.processes} × ' if runtime.processes > 1 else ''}{name}, {products}"
    threads = runtime.threads or usable_cores()
    processes = f", {runtime.processes} processes" if runtime.processes > 1 else ""
    return f"cpu, {products}, {threads} thread{'s' if threads > 1 else ''}{processes}"


def _uses_cuda(runtime: RuntimeSettings) -> bool:
    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"runtime.device = cuda, but PyTorch {torch.__version__} sees no CUDA device here: set it to auto or cpu, "
            "or install a build of PyTorch for this device's CUDA (README)."
        )
    return runtime.device != "cpu" and torch.cuda.is_available()


def _keep_freed_memory() -> None:
    """Let glibc keep what tensors free instead of handing it back: each update asks for the same again.

    By default it maps large blocks anew each time, and the kernel fills them with zeros page by page: a tenth of an
    update's time (LAB.md). Other C libraries are left as they are.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # the last on Windows, where None names no library
        libc = ctypes.CDLL(None)
        libc.mallopt(MALLOPT_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(MALLOPT_TRIM_THRESHOLD, KEPT_BYTES)


def computes_in_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 matrices in hardware; emulated, they would be slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def supports_bf16(device: torch.device) -> bool:
    """Whether there are kernels for bf16 at all, emulated ones included; a CPU wants AVX-512 for them, or Arm's own."""
    return device.type != "cpu" or (torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def product_type(precision: str, device: torch.device) -> torch.dtype:
    """What matrix products are computed in under `precision` (auto, bf16 or fp32).

    Raises ConfigError for bf16 where a processor has no kernels for it.
    """
    if precision == "bf16" and not supports_bf16(device):
        raise ConfigError(
            "precision = bf16, and this processor has no such arithmetic (AVX-512 or AMX): leave it at auto, which "
            "takes bf16 where there is, or fp32."
        )
    low = precision == "bf16" or (precision == "auto" and computes_in_bf16(device) and supports_bf16(device))
    return torch.bfloat16 if low else torch.float32


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """The context that a forward pass runs in under `precision`."""
    if product_type(precision, device) == torch.bfloat16:
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def generator_state(device: torch.device) -> torch.Tensor:
    """State of the generators that a training on this device draws from, as bytes."""
    cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return torch.cat([torch.get_rng_state(), *cuda])


def set_generator_state(state: torch.Tensor, device: torch.device) -> None:
    """Go on drawing where `generator_state` was taken; a CUDA device anew where that was done on the CPU."""
    length = len(torch.get_rng_state())
    torch.set_rng_state(state[:length].clone())
    if device.type == "cuda" and len(state) > length:
        torch.cuda.set_rng_state(state[length:].clone(), device)
