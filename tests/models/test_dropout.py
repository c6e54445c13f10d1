"""Dropout from 16 random bits an element."""

import pytest
import torch

from seq2seq.models.dropout import dropout


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_that_share_of_the_elements_is_zero_and_the_sum_is_kept(share: float) -> None:
    torch.manual_seed(1)
    dropped = dropout(torch.ones(3, 1001, 100), share)
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert len(dropped.unique()) == 2


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(1)
    kept = (dropout(torch.ones(400_000), 0.5) != 0).float().view(-1, 8)
    torch.testing.assert_close(torch.corrcoef(kept.T), torch.eye(8), atol=0.02, rtol=0)


def test_gradients_pass_where_the_elements_passed() -> None:
    vectors = torch.ones(50, 7, requires_grad=True)
    dropped = dropout(vectors, 0.3)
    (gradient,) = torch.autograd.grad(dropped.sum(), vectors)
    torch.testing.assert_close(gradient, dropped.detach())


def test_a_seed_repeats_it_and_the_type_stays() -> None:
    draws = []
    for _ in range(2):
        torch.manual_seed(5)
        draws.append(dropout(torch.ones(33, dtype=torch.bfloat16), 0.4))
    assert torch.equal(*draws)
    assert draws[0].dtype == torch.bfloat16


def test_a_share_near_one_leaves_finite_numbers() -> None:
    assert dropout(torch.ones(1000), 1 - 1e-9).isfinite().all()
