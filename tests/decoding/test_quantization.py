import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from seq2seq.decoding import quantization
from seq2seq.decoding.quantization import int8, int8_of_bounded, quantized
from seq2seq.device import autocast
from seq2seq.models.build import build_model
from seq2seq.models.linear import Linear, LinearMaker, Map, plain
from seq2seq.settings.model import ModelSettings
from tests.models.architectures import ARCHITECTURES

SIZE = {"embedding_size": 36, "encoder_hidden_size": 36, "decoder_hidden_size": 36}


def relative_error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).detach().norm() / wanted.detach().norm())


def linear(inputs: int = 64, outputs: int = 96, bias: bool = True) -> nn.Linear:
    torch.manual_seed(5)
    return nn.Linear(inputs, outputs, bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("limit", sorted({quantization._weight_limit(), quantization.WEIGHT_LIMIT_WITHOUT_VNNI}))
def test_an_int8_product_is_within_two_percent_of_the_exact_one(
    bias: bool, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "_weight_limit", lambda: limit)
    exact, rows = linear(bias=bias), torch.randn(7, 3, 64)
    assert 0 < relative_error(int8(exact.weight, exact.bias)(rows), exact(rows)) < 0.02


def test_small_rows_and_small_weights_keep_their_precision_beside_large_ones() -> None:
    exact, rows = linear(), torch.randn(2, 64)
    with torch.no_grad():
        exact.weight[::2] *= 1e-4
        exact.bias.zero_()
    rows[0] *= 1e4
    found, wanted = int8(exact.weight, exact.bias)(rows), exact(rows)
    for row in (0, 1):
        assert relative_error(found[row, ::2], wanted[row, ::2]) < 0.02
        assert relative_error(found[row, 1::2], wanted[row, 1::2]) < 0.02


def test_a_row_has_the_same_product_whatever_stands_beside_it() -> None:
    product, rows = int8(linear().weight, linear().bias), torch.randn(300, 64)
    together = product(rows)
    for few in (1, 2, 17):
        assert torch.equal(product(rows[:few]), together[:few])
    assert torch.equal(product(torch.cat([rows, 1000 * rows]))[:300], together)


@pytest.mark.parametrize("make", [int8, int8_of_bounded])
def test_the_largest_sum_does_not_overflow(make: LinearMaker) -> None:
    weight, rows = torch.ones(8, 4096), torch.ones(2, 4096)
    torch.testing.assert_close(make(weight, None)(rows), torch.full((2, 8), 4096.0))
    torch.testing.assert_close(make(weight, None)(-rows), torch.full((2, 8), -4096.0))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 64), (7, 3, 64)])
def test_bounded_rows_need_no_scale_of_their_own(bias: bool, shape: tuple[int, ...]) -> None:
    exact, rows = linear(bias=bias), torch.randn(shape).tanh()
    found = int8_of_bounded(exact.weight, exact.bias)(rows)
    assert 0 < relative_error(found, exact(rows)) < 0.02
    torch.testing.assert_close(int8_of_bounded(exact.weight, exact.bias)(rows[:1]), found[:1])
    assert int8_of_bounded(exact.weight, exact.bias)(rows.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_only_rows_within_bounds_go_without_a_scale(architecture: dict[str, Any]) -> None:
    def watched(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
        def apply(rows: torch.Tensor) -> torch.Tensor:
            assert rows.abs().max() <= 1
            return functional.linear(rows, weight, bias)

        return apply

    torch.manual_seed(3)
    model = build_model(ModelSettings(**{**SIZE, **architecture}), 29, 29).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 20
    stepper = model.for_decoding(plain, watched)
    with torch.inference_mode():
        memory = stepper.encode(torch.randint(4, 29, (2, 5)), torch.tensor([5, 3]))
        state = stepper.start(memory)
        for token in range(4, 12):
            _, state = stepper.step(torch.tensor([token, token + 1]), memory, state)


def test_rows_and_weights_of_nothing_but_zeros_give_the_bias() -> None:
    exact = linear()
    with torch.no_grad():
        exact.weight.zero_()
    assert torch.equal(int8(exact.weight, exact.bias)(torch.zeros(2, 64)), exact.bias.expand(2, -1))
    assert torch.equal(int8(exact.weight, exact.bias)(torch.randn(2, 64)), exact.bias.expand(2, -1))


def test_what_comes_in_bf16_goes_out_in_bf16() -> None:
    assert int8(linear().weight, None)(torch.randn(2, 64).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_every_architecture_decodes_in_int8_and_stays_as_it_is_itself(architecture: dict[str, Any]) -> None:
    torch.manual_seed(3)
    model = build_model(ModelSettings(**{**SIZE, **architecture}), 29, 29).eval()
    before = copy.deepcopy(model.state_dict())
    tokens, sources, lengths = torch.tensor([5, 6]), torch.randint(4, 29, (2, 5)), torch.tensor([5, 3])
    small = quantized(model)
    with torch.inference_mode(), autocast("auto", torch.device("cpu")):
        for _ in range(2):
            memory, exact_memory = small.encode(sources, lengths), model.encode(sources, lengths)
            found, _ = small.step(tokens, memory, small.start(memory))
            wanted, _ = model.step(tokens, exact_memory, model.start(exact_memory))
            assert 0 < relative_error(found, wanted) < 0.1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(isinstance(module, Map) for module in model.modules())
