import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.batching import EncodedPairs, collate, cut_evenly, epoch_batches, plan_batches
from seq2seq.ragged import Ragged
from seq2seq.subwords.special_tokens import BOS, EOS, PAD


def ragged(rows: list[list[int]]) -> Ragged:
    ids = np.array([token for row in rows for token in row], dtype=np.int32)
    return Ragged.of_lengths(ids, np.array([len(row) for row in rows]))


def encoded(lengths: list[tuple[int, int]]) -> EncodedPairs:
    return EncodedPairs(
        ragged([[5] * source for source, _ in lengths]), ragged([[6] * target for _, target in lengths])
    )


LENGTHS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=60)


@given(lengths=LENGTHS, budget=st.integers(1, 60), seed=st.integers(0, 5))
def test_every_pair_is_in_exactly_one_batch_of_an_epoch(lengths: list[tuple[int, int]], budget: int, seed: int) -> None:
    pairs = encoded(lengths)
    batches = epoch_batches(pairs, plan_batches(pairs, budget), seed, 0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))


@given(lengths=LENGTHS, budget=st.integers(1, 60))
def test_a_batch_keeps_to_the_token_budget_unless_one_pair_alone_exceeds_it(
    lengths: list[tuple[int, int]], budget: int
) -> None:
    pairs = encoded(lengths)
    for batch in epoch_batches(pairs, plan_batches(pairs, budget), 1, 3):
        assert len(batch) == 1 or len(collate(pairs, batch).targets_N) <= budget


@given(lengths=LENGTHS, share=st.floats(0, 1))
def test_pairs_can_be_cut_into_a_given_number_of_batches_none_of_them_empty(
    lengths: list[tuple[int, int]], share: float
) -> None:
    pairs = encoded(lengths)
    number = max(1, round(share * len(lengths)))
    plan = cut_evenly(pairs, number)
    assert len(plan) == number
    assert all(len(batch) for batch in epoch_batches(pairs, plan, 1, 0))
    assert sorted(np.concatenate(epoch_batches(pairs, plan, 1, 0)).tolist()) == list(range(len(lengths)))


def test_batches_of_a_given_number_have_about_equally_many_tokens() -> None:
    generator = np.random.default_rng(0)
    pairs = encoded([(int(length), int(length)) for length in generator.integers(1, 40, 1000)])
    batches = epoch_batches(pairs, cut_evenly(pairs, 20), 1, 0)
    tokens = [len(collate(pairs, batch).targets_N) for batch in batches]
    assert np.ptp(tokens) <= 2 * 40


def test_a_batch_of_two_source_lengths_holds_like_target_lengths() -> None:
    pairs = encoded([(source, target) for source in (4, 5) for target in range(1, 11)])
    (crossing,) = [
        batch for batch in epoch_batches(pairs, cut_evenly(pairs, 3), 1, 0) if np.ptp(pairs.source.lengths[batch]) > 0
    ]
    assert pairs.target.lengths[crossing].min() >= 7


def test_equal_seed_and_epoch_give_equal_batches_and_other_epochs_other_orders() -> None:
    pairs = encoded([(1 + index % 4, 1 + index % 3) for index in range(100)])
    plan = plan_batches(pairs, 20)
    first, again, later = (np.concatenate(epoch_batches(pairs, plan, 7, epoch)) for epoch in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != later.tolist()


def test_batches_hold_sentences_of_like_length() -> None:
    generator = np.random.default_rng(0)
    pairs = encoded([(int(length), int(length)) for length in generator.integers(1, 40, 500)])
    batches = epoch_batches(pairs, plan_batches(pairs, 100), 1, 0)
    spreads = [np.ptp(pairs.source.lengths[batch]) for batch in batches]
    assert np.mean(spreads) < 2


def test_a_batch_marks_the_ends_and_pads_the_rest() -> None:
    pairs = EncodedPairs(ragged([[10, 11], [12]]), ragged([[20], [21, 22, 23]]))
    batch = collate(pairs, np.array([0, 1]))
    assert batch.source_BS.tolist() == [[10, 11, EOS], [12, EOS, PAD]]
    assert batch.source_lengths_B.tolist() == [3, 2]
    assert batch.inputs_BT.tolist() == [[BOS, 20, PAD, PAD], [BOS, 21, 22, 23]]
    assert batch.targets_N.tolist() == [20, EOS, 21, 22, 23, EOS]
    assert len(batch.targets_N) == pairs.target_tokens


@given(lengths=LENGTHS)
def test_a_batch_knows_the_places_of_its_real_target_tokens(lengths: list[tuple[int, int]]) -> None:
    batch = collate(encoded(lengths), np.arange(len(lengths)))
    assert batch.real_N.tolist() == (batch.inputs_BT != PAD).view(-1).nonzero()[:, 0].tolist()
    assert batch.targets_N.tolist() == [token for _, target in lengths for token in [*[6] * target, EOS]]


def test_a_pair_may_be_in_a_batch_twice() -> None:
    pairs = EncodedPairs(ragged([[10, 11], [12]]), ragged([[20], [21, 22, 23]]))
    batch = collate(pairs, np.array([1, 0, 1]))
    assert batch.source_BS.tolist() == [[12, EOS, PAD], [10, 11, EOS], [12, EOS, PAD]]
    assert batch.targets_N.tolist() == [21, 22, 23, EOS, 20, EOS, 21, 22, 23, EOS]


@pytest.mark.parametrize("empty_side", ["source", "target"])
def test_an_empty_sentence_is_its_end_mark_alone(empty_side: str) -> None:
    rows = {"source": [[4]], "target": [[4]], empty_side: [[]]}
    batch = collate(EncodedPairs(ragged(rows["source"]), ragged(rows["target"])), np.array([0]))
    ids = batch.source_BS[0] if empty_side == "source" else batch.targets_N
    assert ids.tolist() == [EOS]
