"""Linear maps that go through oneDNN, beside PyTorch's own."""

import pytest
import torch
from torch import nn

from seq2seq.models import linear
from seq2seq.models.linear import LinearLayer, product


@pytest.fixture(params=[0, linear.LARGE], ids=["oneDNN", "too small for oneDNN"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "LARGE", request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_is_that_of_pytorch_transposed_views_included(dtype: torch.dtype, bias: bool) -> None:
    torch.manual_seed(1)
    rows, weight, offset = torch.randn(37, 24).to(dtype), torch.randn(24, 51).to(dtype), torch.randn(51).to(dtype)

    found = product(rows.T.contiguous().T, weight.T, offset if bias else None)

    wanted = rows.double() @ weight.double() + (offset.double() if bias else 0)
    assert torch.allclose(found.double(), wanted, atol=1e-5 if dtype == torch.float32 else 0.2)


@pytest.mark.parametrize("shape", [(24,), (5, 24), (3, 4, 24), (0, 24)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_gives_what_pytorchs_gives_and_the_same_gradients(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(2)
    theirs, ours = nn.Linear(24, 51, bias).double(), LinearLayer(24, 51, bias)
    ours.load_state_dict(theirs.state_dict())
    rows = torch.randn(shape, requires_grad=True)
    exact = rows.detach().double().requires_grad_()
    pull = torch.randn(*shape[:-1], 51)

    found, wanted = ours(rows), theirs(exact)
    (found * pull).sum().backward()
    (wanted * pull.double()).sum().backward()

    pairs = [(found, wanted), (rows.grad, exact.grad), (ours.weight.grad, theirs.weight.grad)]
    pairs += [(ours.bias.grad, theirs.bias.grad)] if bias else []
    for mine, exactly in pairs:
        assert mine is not None
        assert exactly is not None
        assert mine.shape == exactly.shape
        assert torch.allclose(mine.double(), exactly, atol=1e-5)


def test_under_autocast_a_layer_computes_in_its_type() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert LinearLayer(8, 8)(torch.randn(2, 8)).dtype == torch.bfloat16


def test_a_layer_of_doubles_stays_one_of_doubles() -> None:
    layer = LinearLayer(4, 3).double()

    assert torch.autograd.gradcheck(layer, (torch.randn(2, 4, dtype=torch.float64, requires_grad=True),))
