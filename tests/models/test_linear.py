"""Linear maps that go through oneDNN, beside PyTorch's own."""

import pytest
import torch
from torch import nn

from seq2seq.decoding.quantization import int8
from seq2seq.models import linear
from seq2seq.models.linear import LinearLayer, LinearMaker, packed, product, rounded


@pytest.fixture(params=[0, linear.LARGE], ids=["oneDNN", "too small for oneDNN"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "LARGE", request.param)
    monkeypatch.setattr(linear, "AVX512", True)


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


@pytest.mark.parametrize("amx", [True, False])
@pytest.mark.parametrize("shape", [(24,), (19, 24), (7, 40, 24), (0, 24)])
def test_under_autocast_a_layer_computes_in_its_type_and_so_does_its_gradient(
    shape: tuple[int, ...], amx: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "AMX", amx)
    torch.manual_seed(3)
    layer, rows = LinearLayer(24, 51), torch.randn(shape, requires_grad=True)
    parameters = [rows, layer.weight, layer.bias]
    pull = torch.randn(*shape[:-1], 51)

    with torch.autocast("cpu", torch.bfloat16):
        found = layer(rows)
    exact = layer(rows)

    assert found.dtype == torch.bfloat16
    assert (found - exact).norm() <= 0.01 * exact.norm()
    close, wanted = (torch.autograd.grad((each * pull).sum(), parameters) for each in (found, exact))
    for mine, exactly in zip(close, wanted, strict=True):
        assert (mine - exactly).norm() <= 0.02 * exactly.norm()


def test_rows_are_filled_up_to_few_numbers_and_only_for_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "AMX", True)
    rows = {
        count: torch.full((count, 3), 2.0, dtype=torch.bfloat16) for count in (0, 1, 15, 16, 17, 130, 257, 2000, 2049)
    }

    found = {count: rounded(each) for count, each in rows.items()}

    sizes = {0: 0, 1: 1, 15: 15, 16: 16, 17: 32, 130: 160, 257: 320, 2000: 2048, 2049: 2560}
    assert {count: len(each) for count, each in found.items()} == sizes
    for count, each in found.items():
        assert torch.equal(each[:count], rows[count])
        assert not each[count:].any()
    assert len(rounded(rows[130], 256)) == 256
    assert len(rounded(rows[130].float())) == 130
    monkeypatch.setattr(linear, "AMX", False)
    assert len(rounded(rows[130])) == 130


@pytest.mark.parametrize("maker", [packed(torch.bfloat16), int8], ids=["packed", "int8"])
@pytest.mark.parametrize("shape", [(19, 24), (35, 1, 24)])
def test_maps_for_decoding_give_the_same_for_rows_that_are_filled_up(
    maker: LinearMaker, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(4)
    apply, rows = maker(torch.randn(51, 24), torch.randn(51)), torch.randn(shape).bfloat16()
    found = []
    for amx in (True, False):
        monkeypatch.setattr(linear, "AMX", amx)
        found.append(apply(rows))

    assert found[0].shape == (*shape[:-1], 51)
    torch.testing.assert_close(*found, rtol=0.01, atol=0.05)


def test_a_layer_of_doubles_stays_one_of_doubles() -> None:
    layer = LinearLayer(4, 3).double()

    assert torch.autograd.gradcheck(layer, (torch.randn(2, 4, dtype=torch.float64, requires_grad=True),))
