import pytest
import torch

from seq2seq.models.recurrent_layers import RecurrentLayers, outside_of_autocast
from seq2seq.settings.model import ModelSettings


def test_layers_on_cuda_run_outside_of_autocast_and_those_on_a_cpu_within() -> None:
    torch.set_autocast_enabled("cuda", True)
    try:
        with outside_of_autocast(torch.device("cuda")):
            assert not torch.is_autocast_enabled("cuda")
        with outside_of_autocast(torch.device("cpu")):
            assert torch.is_autocast_enabled("cuda")
    finally:
        torch.set_autocast_enabled("cuda", False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device here")
@pytest.mark.parametrize("architecture", ["lstm", "gru"])
@pytest.mark.parametrize("lengths", [None, [3, 1]])
def test_gradients_on_cuda_exceed_what_float16_holds(architecture: str, lengths: list[int] | None) -> None:
    torch.manual_seed(1)
    layers = RecurrentLayers(ModelSettings(architecture=architecture), 8, 8, 1).cuda()
    lengths_B = None if lengths is None else torch.tensor(lengths)
    with torch.autocast("cuda", torch.bfloat16):
        outputs_BTH, _ = layers(torch.ones(2, 3, 8, device="cuda"), lengths_B=lengths_B)
    (1e6 * outputs_BTH.float().sum()).backward()
    for parameter in layers.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().max() > 1e3
