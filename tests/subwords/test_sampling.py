import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from seq2seq.config import validate_config
from seq2seq.errors import ConfigError
from seq2seq.ragged import Ragged
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.settings.vocabulary import VocabularySettings
from seq2seq.subwords.encoding import Sentences, encode_sentences
from seq2seq.subwords.language_tags import tag_into
from seq2seq.subwords.sampling import SubwordSampler, make_segmenter
from seq2seq.subwords.special_tokens import SPECIAL_TOKENS, UNK
from seq2seq.subwords.tokenization import build_rules, cut
from seq2seq.subwords.vocabulary import build_tokenizer, count_pieces, pre_cut

RULES = build_rules(TokenizationSettings())
TEXTS = [
    "the dog chased the cat, and the cat ran away.",
    "a dog doesn't chase cats: it barks!",
    "the cats (two) were running; the dogs weren't.",
    "a running dog is a barking dog",
] * 3
TAGS = ["<2de>", "<2en>"]
STRENGTHS = {"bpe": {"dropout": 0.3}, "unigram": {"temperature": 20.0}}


def tokenizer_for(kind: str) -> Tokenizer:
    settings = VocabularySettings.model_validate({"kind": kind, "size": 90, "min_frequency": 1})
    return build_tokenizer(settings, count_pieces(cut(RULES, text) for text in TEXTS), RULES.to_str(), TAGS)


TOKENIZERS = {kind: tokenizer_for(kind) for kind in ("word", "bpe", "unigram")}
MERGES = [("b", "c"), ("a", "b"), ("ab", "ab"), ("ab", "c"), ("a", "bc"), ("abc", "ab")]
LETTERS = ["a", "b", "c"]
NUMBERS = {token: n for n, token in enumerate([*SPECIAL_TOKENS, *LETTERS, "bc", "ab", "abab", "abc", "abcab"])}
SCORES = {"a": -2.0, "b": -2.5, "c": -2.2, "ab": -1.5, "bc": -2.1, "abc": -3.5, "ca": -4.0, "abcab": -5.0}


def small_bpe() -> Tokenizer:
    return Tokenizer(models.BPE(NUMBERS, MERGES, unk_token="<unk>"))


def small_unigram() -> Tokenizer:
    return Tokenizer(models.Unigram([*((token, 0.0) for token in SPECIAL_TOKENS), *SCORES.items()], UNK, False))


def encoded(tokenizer: Tokenizer, texts: list[str] = TEXTS) -> Sentences:
    return encode_sentences(pre_cut(tokenizer), [cut(RULES, text) for text in texts])


def rows_of(sentences: Ragged) -> list[list[int]]:
    return [sentences[row].tolist() for row in range(len(sentences))]


def cuts_of_word(tokenizer: Tokenizer, word: str, draws: int, **strength: float) -> Iterator[tuple[str, ...]]:
    """A word's random cuts, over and over."""
    words = Ragged.of_lists([tokenizer.encode(word).ids])
    segmenter = make_segmenter(tokenizer, words, strength.get("dropout", 0.0), strength.get("temperature", 0.0))
    sample = segmenter.sample(np.zeros(draws, dtype=np.int64), np.random.default_rng(0))
    return (tuple(str(tokenizer.id_to_token(token)) for token in row) for row in rows_of(sample))


def bpe_dropout_distribution(parts: tuple[str, ...], dropout: float) -> dict[tuple[str, ...], float]:
    """Algorithm 1 of Provilkov et al. 2020, followed through all of its draws."""
    ranks = {merge: rank for rank, merge in enumerate(MERGES)}
    possible = sorted((ranks[pair], place) for place, pair in enumerate(pairwise(parts)) if pair in ranks)
    found = defaultdict(float, {parts: dropout ** len(possible)})
    for better, (_, place) in enumerate(possible):
        merged = (*parts[:place], parts[place] + parts[place + 1], *parts[place + 2 :])
        for cut_word, share in bpe_dropout_distribution(merged, dropout).items():
            found[cut_word] += (1 - dropout) * dropout**better * share
    return dict(found)


def unigram_distribution(word: str, temperature: float) -> dict[tuple[str, ...], float]:
    def cuts(rest: str) -> Iterator[tuple[str, ...]]:
        if not rest:
            yield ()
        for end in range(1, len(rest) + 1):
            if rest[:end] in SCORES:
                yield from ((rest[:end], *tail) for tail in cuts(rest[end:]))

    weights = {parts: math.exp(sum(SCORES[part] for part in parts) / temperature) for parts in cuts(word)}
    return {parts: weight / sum(weights.values()) for parts, weight in weights.items()}


def assert_drawn_from(distribution: dict[tuple[str, ...], float], draws: list[tuple[str, ...]]) -> None:
    """No cut is more than five standard deviations away from its expected count."""
    assert sum(distribution.values()) == pytest.approx(1)
    counts = Counter(draws)
    assert counts.keys() <= distribution.keys()
    for parts, share in distribution.items():
        deviation = math.sqrt(len(draws) * share * (1 - share))
        assert abs(counts[parts] - len(draws) * share) <= 5 * deviation + 1e-9, parts


@pytest.mark.parametrize("word", ["abcab", "abab", "cabcb"])
@pytest.mark.parametrize("dropout", [0.1, 0.6])
def test_bpe_dropout_has_the_distribution_of_the_papers_algorithm(word: str, dropout: float) -> None:
    draws = list(cuts_of_word(small_bpe(), word, 20_000, dropout=dropout))
    assert_drawn_from(bpe_dropout_distribution(tuple(word), dropout), draws)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
def test_a_unigram_cut_is_drawn_in_proportion_to_its_probability(temperature: float) -> None:
    draws = list(cuts_of_word(small_unigram(), "abcabc", 20_000, temperature=temperature))
    assert_drawn_from(unigram_distribution("abcabc", temperature), draws)


def test_without_dropout_words_are_cut_as_the_tokenizer_cuts_them() -> None:
    tokenizer = TOKENIZERS["bpe"]
    sentences = encoded(tokenizer)
    sample = SubwordSampler(sentences.ids, sentences.begins, tokenizer, dropout=0.0).sample(np.random.default_rng(0))
    assert rows_of(sample) == rows_of(sentences.ids) == [tokenizer.encode(text).ids for text in TEXTS]


def test_with_all_merges_left_out_words_are_characters() -> None:
    tokenizer = TOKENIZERS["bpe"]
    sentences = encoded(tokenizer)
    sample = SubwordSampler(sentences.ids, sentences.begins, tokenizer, dropout=1.0).sample(np.random.default_rng(0))
    characters = [cut(RULES, text).replace(" ", "") for text in TEXTS]
    assert [[tokenizer.id_to_token(token) for token in row] for row in rows_of(sample)] == list(map(list, characters))


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@given(
    texts=st.lists(st.text("".join(sorted(set("".join(TEXTS)))), max_size=30), min_size=1, max_size=8),
    seed=st.integers(0, 9),
)
def test_every_sample_spells_the_sentence_in_known_tokens(kind: str, texts: list[str], seed: int) -> None:
    tokenizer = TOKENIZERS[kind]
    sentences = encoded(tokenizer, texts)
    sampler = SubwordSampler(sentences.ids, sentences.begins, tokenizer, **STRENGTHS[kind])
    sample = rows_of(sampler.sample(np.random.default_rng(seed)))
    assert [tokenizer.decode(row) for row in sample] == [" ".join(text.split()) for text in texts]
    assert UNK not in {token for row in sample for token in row}


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_unknown_tokens_and_language_tags_stay_as_they_are(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    tag = tag_into(tokenizer, "en")
    assert tag is not None
    sentences = encoded(tokenizer, ["大 the dogs", ""]).after(tag)
    sampler = SubwordSampler(sentences.ids, sentences.begins, tokenizer, **STRENGTHS[kind])
    for seed in range(20):
        sentence, empty = rows_of(sampler.sample(np.random.default_rng(seed)))
        assert empty == [sentence[0]] == [tag]
        assert sentence.count(UNK) == 1
        assert tokenizer.decode(sentence) == "⁇ the dogs"


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_equal_seeds_give_equal_samples_and_others_other_ones(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    sentences = encoded(tokenizer)
    first, again = (SubwordSampler(sentences.ids, sentences.begins, tokenizer, **STRENGTHS[kind]) for _ in range(2))
    samples = [rows_of(sampler.sample(np.random.default_rng(7))) for sampler in (first, first, again)]
    assert samples[0] == samples[1] == samples[2]
    assert rows_of(first.sample(np.random.default_rng(8))) != samples[0]


@pytest.mark.parametrize(("most", "fewest"), [(256, 5), (2, 1)])
def test_occurrences_of_one_word_are_cut_in_different_ways_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch, most: int, fewest: int
) -> None:
    monkeypatch.setattr("seq2seq.subwords.sampling.MOST_CUTS", most)
    tokenizer = TOKENIZERS["bpe"]
    sentences = encoded(tokenizer, ["barking"] * 200)
    sampler = SubwordSampler(sentences.ids, sentences.begins, tokenizer, dropout=0.5)
    ways = set(map(tuple, rows_of(sampler.sample(np.random.default_rng(0)))))
    assert fewest <= len(ways) <= most


def test_a_setting_that_does_not_fit_the_vocabulary_is_found_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match=r"subword_dropout = 0\.1 .* vocabulary\.kind is word: set"):
        validate_config({"vocabulary": {"kind": "word"}, "training": {"subword_dropout": 0.1}})


MISFITS: list[tuple[str, dict[str, float]]] = [
    ("word", {"dropout": 0.1}),
    ("word", {"temperature": 1.0}),
    ("bpe", {"temperature": 1.0}),
    ("unigram", {"dropout": 0.1}),
]


@pytest.mark.parametrize(("kind", "strength"), MISFITS)
def test_a_vocabulary_of_another_kind_is_an_error_that_names_the_settings(
    kind: str, strength: dict[str, float]
) -> None:
    tokenizer = TOKENIZERS[kind]
    sentences = encoded(tokenizer)
    with pytest.raises(ConfigError, match=r"training\.subword_dropout .* vocabulary\.kind"):
        SubwordSampler(sentences.ids, sentences.begins, tokenizer, **strength)
