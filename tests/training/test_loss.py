import pytest
import torch
from torch.nn import functional

from seq2seq.models import linear
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


@pytest.mark.parametrize("amx", [True, False])
@pytest.mark.parametrize("r_drop", [0.0, 0.7])
def test_under_bf16_autocast_the_loss_and_its_gradients_stay_close(
    amx: bool, r_drop: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "AMX", amx)  # the last chunk is then filled up
    *inputs, targets_N = problem(torch.float32)
    inputs, targets_N = [inputs[0][1:], *inputs[1:]], targets_N[1:]
    exact, exact_nll = linear_cross_entropy(*inputs, targets_N, 0.1, r_drop)
    with torch.autocast("cpu", torch.bfloat16):
        close, close_nll = linear_cross_entropy(*inputs, targets_N, 0.1, r_drop)
    assert abs(close.item() / exact.item() - 1) < 0.01
    assert abs(close_nll.item() / exact_nll.item() - 1) < 0.01
    for found, wanted in zip(torch.autograd.grad(close, inputs), torch.autograd.grad(exact, inputs), strict=True):
        assert found.dtype == torch.float32
        assert (found - wanted).norm() < 0.02 * wanted.norm()


def r_drop_by_autograd(
    features_NF: torch.Tensor, weight_VF: torch.Tensor, bias_V: torch.Tensor, targets_N: torch.Tensor, alpha: float
) -> torch.Tensor:
    """Liang et al. 2021, equation 4, in PyTorch's own functions."""
    logits_NV = functional.linear(features_NF, weight_VF, bias_V)
    first, second = logits_NV.log_softmax(-1).chunk(2)
    divergence = functional.kl_div(first, second, reduction="sum", log_target=True) / 2
    divergence = divergence + functional.kl_div(second, first, reduction="sum", log_target=True) / 2
    likelihood = functional.cross_entropy(logits_NV, targets_N, reduction="sum", label_smoothing=0.1)
    return likelihood + alpha * divergence


def test_r_drop_and_its_gradients_are_those_of_autograd() -> None:
    *inputs, targets_N = problem()
    features_NF = torch.cat([inputs[0], inputs[0].flip(1)]).detach().requires_grad_()
    arguments = (features_NF, inputs[1], inputs[2])
    targets_N = targets_N.repeat(2)
    loss, _ = linear_cross_entropy(*arguments, targets_N, 0.1, 3.0)
    expected = r_drop_by_autograd(*arguments, targets_N, 3.0)
    torch.testing.assert_close(loss, expected)
    for our, their in zip(torch.autograd.grad(loss, arguments), torch.autograd.grad(expected, arguments), strict=True):
        torch.testing.assert_close(our, their)


@pytest.mark.parametrize("r_drop", [0.0, 2.0])
def test_gradients_are_what_the_loss_does_when_its_inputs_move(r_drop: float) -> None:
    generator = torch.Generator().manual_seed(1)
    sizes = ((6, 3), (5, 3), (5,))
    inputs = [torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True) for size in sizes]
    targets_N = torch.tensor([0, 4, 2, 0, 4, 2])
    assert torch.autograd.gradcheck(lambda *given: linear_cross_entropy(*given, targets_N, 0.2, r_drop)[0], inputs)


def test_copies_that_predict_the_same_add_nothing_to_r_drop() -> None:
    *inputs, targets_N = problem()
    twice = (torch.cat([inputs[0], inputs[0]]), *inputs[1:], targets_N.repeat(2))
    torch.testing.assert_close(linear_cross_entropy(*twice, 0.1, 5.0), linear_cross_entropy(*twice, 0.1, 0.0))


def test_a_token_that_is_all_but_impossible_costs_a_finite_loss() -> None:
    features_NF, bias_V = torch.ones(2, 1), torch.zeros(2)
    weight_VF = torch.tensor([[500.0], [-500.0]])
    loss, nll = linear_cross_entropy(features_NF, weight_VF, bias_V, torch.ones(2, dtype=torch.long))
    assert torch.isfinite(loss)
    assert 80 < nll.item() / 2 < 100


def test_a_validation_gives_the_same_likelihood_and_works_out_no_gradient() -> None:
    *inputs, targets_N = problem(torch.float32)
    _, learned = linear_cross_entropy(*inputs, targets_N)
    with torch.inference_mode():
        _, validated = linear_cross_entropy(*inputs, targets_N)
    torch.testing.assert_close(learned, validated)
