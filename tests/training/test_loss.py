import pytest
import torch
from torch.nn import functional

from seq2seq.training.loss import CHUNK_TOKENS, linear_cross_entropy

TOKENS = 2 * CHUNK_TOKENS + 37  # two whole chunks and a part of one


def problem(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    features_NF = torch.randn(TOKENS, 8, generator=generator, dtype=dtype, requires_grad=True)
    weight_VF = torch.randn(31, 8, generator=generator, dtype=dtype, requires_grad=True)
    bias_V = torch.randn(31, generator=generator, dtype=dtype, requires_grad=True)
    return features_NF, weight_VF, bias_V, torch.randint(0, 31, (TOKENS,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_are_those_of_pytorchs_cross_entropy(smoothing: float) -> None:
    *inputs, targets_N = problem(torch.float32)
    loss, _ = linear_cross_entropy(*inputs, targets_N, smoothing)
    ours = torch.autograd.grad(3 * loss, inputs)
    expected = functional.cross_entropy(
        functional.linear(*inputs), targets_N, reduction="sum", label_smoothing=smoothing
    )
    theirs = torch.autograd.grad(3 * expected, inputs)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-3)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-4, atol=1e-4)


def test_the_likelihood_beside_the_loss_is_free_of_smoothing() -> None:
    *inputs, targets_N = problem(torch.float32)
    _, nll = linear_cross_entropy(*inputs, targets_N, 0.3)
    expected = functional.cross_entropy(functional.linear(*inputs), targets_N, reduction="sum")
    torch.testing.assert_close(nll, expected.detach(), rtol=1e-5, atol=1e-3)
    assert not nll.requires_grad


def test_under_bf16_autocast_the_loss_stays_close_and_gradients_keep_their_type() -> None:
    *inputs, targets_N = problem(torch.float32)
    exact, _ = linear_cross_entropy(*inputs, targets_N, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = linear_cross_entropy(*inputs, targets_N, 0.1)
    assert abs(rounded.item() / exact.item() - 1) < 0.01
    assert [grad.dtype for grad in torch.autograd.grad(rounded, inputs)] == [torch.float32] * 3
