"""Dropout of elements, of features at all positions, and of whole tokens."""

import pytest
import torch

from seq2seq.models.dropout import Dropout
from seq2seq.models.embedding import Embedding
from seq2seq.subwords.special_tokens import PAD

TOKENS_BT = torch.randint(4, 20, (40, 50), generator=torch.Generator().manual_seed(1))


def test_variational_dropout_drops_the_same_features_at_all_positions_of_a_row() -> None:
    dropped_BTE = Dropout(0.5, variational=True)(torch.ones(30, 7, 20))
    assert torch.equal(dropped_BTE, dropped_BTE[:, :1].expand(-1, 7, -1))
    assert not torch.equal(dropped_BTE[0], dropped_BTE[1])


def test_ordinary_dropout_draws_for_each_position() -> None:
    dropped_BTE = Dropout(0.5)(torch.ones(30, 7, 20))
    assert not torch.equal(dropped_BTE[:, 0], dropped_BTE[:, 1])


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_leaves_the_expectation_as_it_was(variational: bool) -> None:
    dropped_BTE = Dropout(0.25, variational)(torch.ones(400, 5, 100))
    assert dropped_BTE.mean().item() == pytest.approx(1, abs=0.02)
    assert (dropped_BTE == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_word_dropout_zeroes_whole_tokens_and_scales_the_others() -> None:
    embedding = Embedding(20, 6, word_dropout=0.25)
    vectors_BTE, kept_BTE = embedding(TOKENS_BT), embedding.eval()(TOKENS_BT) / 0.75
    zero_BT = (vectors_BTE == 0).all(2)
    assert zero_BT.float().mean().item() == pytest.approx(0.25, abs=0.05)
    torch.testing.assert_close(vectors_BTE[~zero_BT], kept_BTE[~zero_BT])


def test_word_dropout_drops_occurrences_and_not_a_word_everywhere() -> None:
    vectors_BTE = Embedding(20, 6, word_dropout=0.5)(torch.full((1, 100), 7))
    assert 20 < int((vectors_BTE == 0).all(2).sum()) < 80


def test_nothing_is_dropped_outside_of_training() -> None:
    embedding = Embedding(20, 6, word_dropout=0.5).eval()
    assert torch.equal(embedding(TOKENS_BT), embedding.weight[TOKENS_BT])


def test_padding_has_the_zero_vector_and_no_gradient() -> None:
    embedding = Embedding(20, 6)
    embedding(torch.tensor([[PAD, 5]])).sum().backward()
    assert not embedding.weight[PAD].any()
    assert embedding.weight.grad is not None
    assert not embedding.weight.grad[PAD].any()
