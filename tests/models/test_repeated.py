"""Products with one factor in many steps, beside the same written out for autograd."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seq2seq.models import linear
from seq2seq.models.repeated import RepeatedProducts, repeated

STEPS = 5


@pytest.fixture(params=[True, False], ids=["AMX", "no AMX"], autouse=True)
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "AMX", request.param)


def chain(step: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Each step reads what the one before gave."""
    total = torch.zeros(())
    for number in range(STEPS):
        rows = step(rows).sin()
        total = total + (number + 1) * rows.float().square().sum()
    return total


@pytest.mark.parametrize("low", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (37,), (4, 9)])
def test_a_map_has_the_gradients_of_all_its_calls(shape: tuple[int, ...], bias: bool, low: bool) -> None:
    torch.manual_seed(1)
    leaves = [torch.randn(*shape, 24), torch.randn(24, 24) / 4, *([torch.randn(24)] if bias else [])]
    ours, theirs = ([leaf.clone().requires_grad_() for leaf in leaves] for _ in range(2))

    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        found = chain(repeated(ours[1], ours[2] if bias else None), ours[0])
        wanted = chain(lambda rows: torch.nn.functional.linear(rows, *theirs[1:]), theirs[0])
    found.backward()
    wanted.backward()

    tolerance = 0.03 if low else 1e-5
    assert abs(found - wanted) <= tolerance * wanted
    for mine, exactly in zip(ours, theirs, strict=True):
        assert mine.grad is not None
        assert exactly.grad is not None
        assert mine.grad.dtype == torch.float32
        assert (mine.grad - exactly.grad).norm() <= tolerance * exactly.grad.norm()


@pytest.mark.parametrize("low", [False, True], ids=["fp32", "bf16"])
def test_keys_and_values_have_the_gradients_of_all_steps_even_where_they_are_one_tensor(low: bool) -> None:
    torch.manual_seed(2)
    leaves = [torch.randn(6, 1, 8), torch.randn(6, 11, 8)]
    ours, theirs = ([leaf.clone().requires_grad_() for leaf in leaves] for _ in range(2))

    def attend(bmm: Callable[[Tensor, Tensor], Tensor], source: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda rows: bmm(bmm(rows, source.transpose(1, 2)).softmax(-1).to(source.dtype), source)

    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        found = chain(attend(RepeatedProducts(), ours[1]), ours[0])
        wanted = chain(attend(torch.bmm, theirs[1]), theirs[0])
    found.backward()
    wanted.backward()

    for mine, exactly in zip(ours, theirs, strict=True):
        assert mine.grad is not None
        assert exactly.grad is not None
        assert (mine.grad - exactly.grad).norm() <= (0.03 if low else 1e-5) * exactly.grad.norm()


def test_calls_that_lead_to_no_loss_and_a_second_backward_pass_leave_the_gradient_right() -> None:
    torch.manual_seed(3)
    weight, rows = torch.randn(7, 7, requires_grad=True), torch.randn(4, 7)
    linear_map = repeated(weight, None)
    used, _ = linear_map(rows), linear_map(2 * rows)

    (first,) = torch.autograd.grad(used.sum(), weight, retain_graph=True)
    (second,) = torch.autograd.grad(used.sum(), weight)

    torch.testing.assert_close(first, rows.sum(0).expand(7, 7))
    assert torch.equal(first, second)


def test_the_gradient_of_the_factor_is_one_product_for_all_steps() -> None:
    weight = torch.randn(16, 16, requires_grad=True)
    loss = chain(repeated(weight, None), torch.randn(20, 16))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as seen:
        loss.backward()
    products = [event.input_shapes for event in seen.events() if event.name == "aten::mm"]
    assert products.count([[16, STEPS * 20], [STEPS * 20, 16]]) == 1
    assert len(products) == STEPS
