"""The processor that tensors live on, and the precision that it computes in."""

import contextlib
import os
from contextlib import AbstractContextManager

import torch

from seq2seq.errors import ConfigError
from seq2seq.settings.runtime import RuntimeSettings

ONEDNN_KERNELS = "32"


def configure(runtime: RuntimeSettings) -> torch.device:
    """Set the number of threads and name the device. ConfigError when CUDA is asked for and there is none.

    oneDNN keeps a compiled kernel with packed weights for each shape it has met, 1,024 of them: with sentences of
    all lengths that came to 1 GiB in 500 batches. A small cache is as fast (LAB.md); oneDNN reads its size from the
    environment when it is first used, and a value set there by the user is left alone.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", ONEDNN_KERNELS)
    torch.set_num_threads(runtime.threads or len(os.sched_getaffinity(0)))
    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("runtime.device = cuda, but PyTorch sees no CUDA device here: set it to auto or cpu.")
    use_cuda = runtime.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if use_cuda else "cpu")


def computes_in_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 matrices in hardware; emulated, they would be slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """The context that a forward pass runs in under `precision` (auto, bf16 or fp32)."""
    if precision == "bf16" or (precision == "auto" and computes_in_bf16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
