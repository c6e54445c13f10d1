"""Greedy and beam search over a step model whose numbers are exact: what they give does not hang on rounding."""

import itertools
import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from seq2seq.decoding import beam_search as beams
from seq2seq.decoding.beam_search import Hypothesis
from seq2seq.decoding.steps import greedy, log_partition, longest_translation
from seq2seq.subwords.special_tokens import BOS, EOS, PAD, UNK

VOCABULARY = 6
STATES = 997


class Place(NamedTuple):
    """Memory and state at once: one number that stands for the source and the tokens so far."""

    number_B: Tensor

    def select(self, rows_N: Tensor) -> "Place":
        return Place(self.number_B[rows_N])


class TableModel:
    """The next token depends on the source's sum and on all tokens so far, through a table of random logits."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.logits_MV = 2 * torch.randn(STATES, VOCABULARY, generator=generator)
        self.batches: list[int] = []

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Place:
        positions_S = torch.arange(source_BS.shape[1])
        return Place((source_BS * (positions_S < source_lengths_B[:, None])).sum(1))

    def start(self, memory: Place) -> Place:
        return memory

    def step(self, tokens_N: Tensor, memory: Place, state: Place) -> tuple[Tensor, Place]:
        self.batches.append(len(tokens_N))
        source_N = memory.number_B.repeat_interleave(len(tokens_N) // len(memory.number_B))
        number_N = (31 * state.number_B + 7 * source_N + tokens_N + 1) % STATES
        return self.logits_MV[number_N], Place(number_N)

    def log_probability(self, source: list[int], tokens: list[int]) -> float:
        """Teacher-forced log p(tokens | source)."""
        memory = self.encode(torch.tensor([source]), torch.tensor([len(source)]))
        state, total = memory, 0.0
        for read, written in itertools.pairwise([BOS, *tokens]):
            logits_1V, state = self.step(torch.tensor([read]), memory, state)
            total += float(logits_1V.log_softmax(1)[0, written])
        return total


SOURCES = [[5, 9, 4], [70, 3], [11, 12, 13, 14, 15], [8], [400, 5, 4, 3]]
LIMITS = [4, 3, 5, 2, 4]


def batch(sources: list[list[int]]) -> tuple[Tensor, Tensor]:
    lengths = [len(source) for source in sources]
    padded = [source + [PAD] * (max(lengths) - len(source)) for source in sources]
    return torch.tensor(padded), torch.tensor(lengths)


def beam_search(*given: Any) -> list[Hypothesis]:
    """The best translation of each sentence."""
    return [best for best, *_ in beams.beam_search(*given)]


def search(model: TableModel, beam_size: int, length_penalty: float) -> list[Hypothesis]:
    return beam_search(model, *batch(SOURCES), torch.tensor(LIMITS), beam_size, length_penalty)


def plain_beam_search(
    model: TableModel, source: list[int], limit: int, beam_size: int, penalty: float, count: int = 1
) -> list[Hypothesis]:
    """Beam search as a textbook writes it: one sentence, lists, and it ends where no live hypothesis could win now."""
    best: list[Hypothesis] = []
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for length in range(1, limit + 2):
        words = [EOS] if length > limit else [token for token in range(VOCABULARY) if token not in (PAD, UNK, BOS)]
        candidates = [
            (model.log_probability(source, [*tokens, word]), [*tokens, word]) for _, tokens in beams for word in words
        ]
        candidates = sorted(candidates, reverse=True)[:beam_size]
        for total, tokens in candidates:
            if tokens[-1] == EOS:
                best.append(Hypothesis(tokens[:-1], total / length**penalty))
        best = sorted(best, key=lambda hypothesis: -hypothesis.score)[:count]
        beams = [(total, tokens) for total, tokens in candidates if tokens[-1] != EOS]
        if not beams or (len(best) == count and max(beams)[0] / (length + 1) ** penalty <= best[-1].score):
            break
    return best


@pytest.mark.parametrize("seed", range(10))
def test_a_wide_beam_finds_the_likeliest_of_all_translations(seed: int) -> None:
    model = TableModel(seed)
    words = [token for token in range(VOCABULARY) if token not in (PAD, UNK, BOS, EOS)]
    found = search(model, len(words) ** max(LIMITS), length_penalty=0.0)
    for hypothesis, source, limit in zip(found, SOURCES, LIMITS, strict=True):
        everything = (list(text) for length in range(limit + 1) for text in itertools.product(words, repeat=length))
        scores = {tuple(tokens): model.log_probability(source, [*tokens, EOS]) for tokens in everything}
        assert scores[tuple(hypothesis.tokens)] == max(scores.values())


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 1.7])
@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_batches_compaction_and_stopping_give_what_a_textbook_beam_search_gives(
    seed: int, beam_size: int, length_penalty: float
) -> None:
    model = TableModel(seed)
    for found, source, limit in zip(search(model, beam_size, length_penalty), SOURCES, LIMITS, strict=True):
        [wanted] = plain_beam_search(model, source, limit, beam_size, length_penalty)
        assert found.tokens == wanted.tokens
        assert found.score == pytest.approx(wanted.score, rel=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize(("beam_size", "count"), [(1, 1), (3, 2), (5, 5), (30, 30)])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_translations_are_those_of_a_textbook_beam_search_in_order(
    seed: int, beam_size: int, count: int, length_penalty: float
) -> None:
    model = TableModel(seed)
    several = beams.beam_search(model, *batch(SOURCES), torch.tensor(LIMITS), beam_size, length_penalty, count)
    for found, source, limit in zip(several, SOURCES, LIMITS, strict=True):
        wanted = plain_beam_search(model, source, limit, beam_size, length_penalty, count)
        assert [one.tokens for one in found] == [one.tokens for one in wanted]
        assert [one.score for one in found] == pytest.approx([one.score for one in wanted], rel=1e-5)
        assert len({tuple(one.tokens) for one in found}) == len(found) <= count


@pytest.mark.parametrize("seed", range(20))
def test_a_beam_of_one_is_greedy_decoding(seed: int) -> None:
    model = TableModel(seed)
    expected = greedy(model, *batch(SOURCES), torch.tensor(LIMITS))
    assert [hypothesis.tokens for hypothesis in search(model, 1, 1.0)] == expected


def test_a_beam_of_one_is_greedy_decoding_when_tokens_tie() -> None:
    model = TableModel(0)
    model.logits_MV = (model.logits_MV / 2).round()
    expected = greedy(model, *batch(SOURCES), torch.tensor([30] * 5))
    found = beam_search(model, *batch(SOURCES), torch.tensor([30] * 5), 1, 1.0)
    assert [hypothesis.tokens for hypothesis in found] == expected


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_the_score_is_the_teacher_forced_log_probability_over_the_length(length_penalty: float) -> None:
    model = TableModel(3)
    for hypothesis, source in zip(search(model, 4, length_penalty), SOURCES, strict=True):
        total = model.log_probability(source, [*hypothesis.tokens, EOS])
        length = len(hypothesis.tokens) + 1
        assert hypothesis.score == pytest.approx(total / length**length_penalty, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("order", [[0], [4, 2, 0], [1, 0, 4, 3, 2], [3, 3, 0, 3]])
def test_a_translation_depends_neither_on_its_batch_mates_nor_on_their_order(order: list[int], seed: int) -> None:
    model = TableModel(seed)
    sources, limits = [SOURCES[row] for row in order], torch.tensor([LIMITS[row] for row in order])
    beams, best = search(model, 3, 1.0), greedy(model, *batch(SOURCES), torch.tensor(LIMITS))
    assert beam_search(model, *batch(sources), limits, 3, 1.0) == [beams[row] for row in order]
    assert greedy(model, *batch(sources), limits) == [best[row] for row in order]


def never_ending(model: TableModel) -> TableModel:
    model.logits_MV[:, EOS] = -50.0
    return model


@pytest.mark.parametrize("beam_size", [1, 4])
def test_no_translation_exceeds_its_own_maximal_length(beam_size: int) -> None:
    model = never_ending(TableModel(1))
    assert [len(tokens) for tokens in greedy(model, *batch(SOURCES), torch.tensor(LIMITS))] == LIMITS
    assert [len(hypothesis.tokens) for hypothesis in search(model, beam_size, 1.0)] == LIMITS


def test_padding_and_the_start_token_are_never_written() -> None:
    model = never_ending(TableModel(2))
    model.logits_MV[:, [PAD, UNK, BOS]] = 9.0
    limits = torch.tensor([40] * len(SOURCES))
    written = set(itertools.chain(*greedy(model, *batch(SOURCES), limits)))
    for hypothesis in beam_search(model, *batch(SOURCES), limits, 5, 1.0):
        written.update(hypothesis.tokens)
    assert written
    assert written.isdisjoint({PAD, UNK, BOS, EOS})


def test_decoding_leaves_the_logits_of_the_model_as_they_are() -> None:
    model = TableModel(2)
    before = model.logits_MV.clone()
    greedy(model, *batch(SOURCES), torch.tensor(LIMITS))
    search(model, 3, 1.0)
    assert torch.equal(model.logits_MV, before)


def test_finished_sentences_leave_a_greedy_batch() -> None:
    model = TableModel(4)
    lengths = [len(tokens) for tokens in greedy(model, *batch(SOURCES), torch.tensor([50] * 5))]
    working = [sum(length >= step for length in lengths) for step in range(max(lengths) + 1)]
    assert model.batches == [count for count in working if count]
    assert model.batches[-1] < len(SOURCES)


def test_decided_sentences_leave_a_beam_search_batch() -> None:
    model = never_ending(TableModel(1))
    search(model, 3, 1.0)
    sentences = [batch_size / 3 for batch_size in model.batches[1:]]
    assert model.batches[0] == len(SOURCES)
    assert sentences == [sum(limit >= step for limit in LIMITS) for step in range(1, max(LIMITS) + 1)]


@pytest.mark.parametrize("length_penalty", [1.0, 3.0])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_large_batch_shrinks_to_numbers_that_come_again_and_translates_as_small_ones_do(
    beam_size: int, length_penalty: float
) -> None:
    model = TableModel(7)
    sources = [[number % 90, number % 7 + 3, 5] for number in range(100)]
    limits = [number % 37 + 1 for number in range(100)]
    alone = [
        beam_search(model, *batch([source]), torch.tensor([limit]), beam_size, length_penalty)[0].tokens
        for source, limit in zip(sources, limits, strict=True)
    ]
    ways = [lambda *given: [best.tokens for best in beam_search(*given, beam_size, length_penalty)]]
    for decode in [*ways, greedy] if beam_size == 1 else ways:
        model.batches.clear()
        assert decode(model, *batch(sources), torch.tensor(limits)) == alone
        sizes = {size // beam_size for size in model.batches[1:]} - {100}
        assert len(sizes) > 3
        assert sizes <= {96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1}


def test_a_sentence_is_decided_before_its_maximal_length_once_nothing_live_can_win() -> None:
    model = TableModel(0)
    model.logits_MV[:, EOS] = 12.0
    found = beam_search(model, *batch(SOURCES), torch.tensor([1000] * 5), 4, 1.0)
    assert all(hypothesis.score > -0.01 for hypothesis in found)
    assert len(model.batches) < 20


def test_a_beam_that_fills_up_as_others_leave_reads_its_own_source() -> None:
    model = TableModel(6)
    first_numbers = [(38 * sum(source) + BOS + 1) % STATES for source in SOURCES]
    model.logits_MV[first_numbers[:-1], EOS] = 99.0
    limits = torch.tensor([6] * len(SOURCES))
    for beam_size in (1, 2, len(SOURCES)):  # the last: one sentence with as many hypotheses as there were sentences
        found = beam_search(model, *batch(SOURCES), limits, beam_size, 1.0)
        assert [hypothesis.tokens for hypothesis in found[:-1]] == [[]] * (len(SOURCES) - 1)
        assert found[-1].tokens == plain_beam_search(model, SOURCES[-1], 6, beam_size, 1.0)[0].tokens != []


def test_a_model_of_nothing_but_nan_still_ends() -> None:
    model = TableModel(0)
    model.logits_MV[:] = math.nan
    assert len(greedy(model, *batch(SOURCES), torch.tensor(LIMITS))) == len(SOURCES)
    assert [hypothesis.tokens for hypothesis in search(model, 3, 1.0)] == [[]] * len(SOURCES)


def test_an_empty_batch_has_no_translations() -> None:
    empty = torch.empty(0, 1, dtype=torch.int64), torch.empty(0, dtype=torch.int64)
    assert greedy(TableModel(0), *empty, torch.empty(0, dtype=torch.int64)) == []
    assert beam_search(TableModel(0), *empty, torch.empty(0, dtype=torch.int64), 3, 1.0) == []


def test_a_translation_may_be_twice_as_long_as_its_source_and_twenty_tokens_more() -> None:
    assert longest_translation(0) == 20
    assert longest_translation(100) == 220


@pytest.mark.parametrize("shift", [0.0, 60.0, -60.0, 500.0, -500.0])
@pytest.mark.parametrize("rows", [1, 7, 400])
def test_the_log_partition_is_right_whatever_the_size_of_the_logits(rows: int, shift: float) -> None:
    logits = torch.randn(rows, 1500, generator=torch.Generator().manual_seed(1)) * 5 + shift
    logits[0] -= 2 * shift
    torch.testing.assert_close(log_partition(logits), logits.double().logsumexp(1).float())
