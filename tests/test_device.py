import os
import subprocess
import sys

import pytest
import torch

from seq2seq import device
from seq2seq.cores import usable_cores
from seq2seq.device import (
    FEW_KERNELS,
    KERNEL_CACHES,
    autocast,
    computes_in_bf16,
    configure,
    generator_state,
    set_generator_state,
    supports_bf16,
)
from seq2seq.errors import ConfigError
from seq2seq.settings.runtime import RuntimeSettings
from tests.tiny import WITH_BF16

CPU = torch.device("cpu")


def test_a_missing_cuda_device_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"runtime\.device = cuda, .* set it to auto or cpu"):
        configure(RuntimeSettings(device="cuda"))


def test_the_number_of_threads_is_the_one_asked_for() -> None:
    before = torch.get_num_threads()
    try:
        assert configure(RuntimeSettings(threads=3, device="cpu")) == CPU
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", KERNEL_CACHES)
@pytest.mark.parametrize(("given", "kept"), [(None, FEW_KERNELS), ("7", 7)])
def test_a_kernel_cache_is_small_unless_the_user_has_set_its_size(name: str, given: str | None, kept: int) -> None:
    environment = {key: value for key, value in os.environ.items() if key != name} | ({name: given} if given else {})
    program = (
        "import os; from seq2seq.device import configure; from seq2seq.settings.runtime import RuntimeSettings; "
        f"configure(RuntimeSettings(threads=1)); print(os.environ[{name!r}])"
    )
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(kept)


@pytest.mark.parametrize("amx", [True, False])
def test_a_training_keeps_more_kernels_only_where_they_are_dear(amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "AMX", amx)

    kept = {precision: device.training_kernels(precision) for precision in ("auto", "bf16", "fp32")}

    assert kept["fp32"] == FEW_KERNELS
    assert {kept["auto"], kept["bf16"]} == {device.TILE_KERNELS if amx else FEW_KERNELS}


@pytest.mark.parametrize(
    ("precision", "type_"), [("fp32", torch.float32), pytest.param("bf16", torch.bfloat16, marks=WITH_BF16)]
)
def test_products_run_in_the_precision_asked_for(precision: str, type_: torch.dtype) -> None:
    with autocast(precision, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == type_


@pytest.mark.parametrize(
    ("runtime", "told"),
    [
        ({"threads": 1}, "cpu, fp32, 1 thread"),
        ({"threads": 4, "processes": 2}, "cpu, fp32, 4 threads, 2 processes"),
        ({}, f"cpu, fp32, {usable_cores()} thread{'s' if usable_cores() > 1 else ''}"),
    ],
)
def test_what_a_training_computes_with_is_told(runtime: dict[str, int], told: str) -> None:
    assert device.description(RuntimeSettings(device="cpu", **runtime), "fp32") == told


def test_bf16_is_refused_where_the_processor_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "supports_bf16", lambda device: False)
    with pytest.raises(ConfigError, match="leave it at auto"):
        device.product_type("bf16", CPU)
    monkeypatch.setattr(device, "computes_in_bf16", lambda device: True)
    assert device.product_type("auto", CPU) == torch.float32


def test_auto_is_bf16_exactly_where_the_processor_computes_in_it() -> None:
    with autocast("auto", CPU):
        result = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (result.dtype == torch.bfloat16) == (computes_in_bf16(CPU) and supports_bf16(CPU))


def test_a_checkpoint_of_the_cpu_goes_on_anew_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, given = torch.device("cuda", 0), []
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: given.append((state.tolist(), device)))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.tensor([1, 2], dtype=torch.uint8))
    with torch.random.fork_rng(devices=[]):
        set_generator_state(generator_state(torch.device("cpu")), cuda)
        assert given == []
        set_generator_state(generator_state(cuda), cuda)
    assert given == [([1, 2], cuda)]


def test_cores_are_counted_where_the_system_does_not_say_which_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores() == 7
