import json
import math
import random
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from seq2seq.metrics import bleu_of, score, score_sentences
from seq2seq.settings.evaluation import EvaluationSettings

SETTINGS = EvaluationSettings(bootstrap_samples=200)
WORDS = ["A", "man", "sees", "two", "dogs", "in", "the", "park", "and", "a", "ball"]


def corpus(pairs: int = 60) -> tuple[list[str], list[str]]:
    """Translations with a tenth of their words lost and some written small, and their references."""
    chosen = random.Random(3)
    references = [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 15))) + "." for _ in range(pairs)]
    texts = [
        " ".join(word.lower() if chosen.random() < 0.2 else word for word in text.split() if chosen.random() < 0.9)
        for text in references
    ]
    return texts, references


def scored(texts: list[str], references: list[str], settings: EvaluationSettings = SETTINGS) -> dict[str, Any]:
    return score(texts, references, score_sentences(texts, references, settings), settings)


def test_bleu_is_what_papineni_et_al_define() -> None:
    # 1-grams 5/6, 2-grams 3/5, 3-grams 1/4; no 4-gram of 3 matches, which "exp" smoothing counts as half a match.
    found = scored(["the cat sat on a mat"], ["the cat sat upon a mat"])
    expected = 100 * math.exp(sum(map(math.log, [5 / 6, 3 / 5, 1 / 4, 0.5 / 3])) / 4)
    assert found["bleu"] == pytest.approx(expected, abs=1e-4)


def test_scores_and_signatures_are_those_of_sacrebleu() -> None:
    texts, references = corpus()
    found = scored(texts, references)
    lowercased, chrf, ter = BLEU(lowercase=True), CHRF(), TER()
    assert found["bleu"] == round(BLEU().corpus_score(texts, [references]).score, 4)
    assert found["bleu_lowercased"] == round(lowercased.corpus_score(texts, [references]).score, 4)
    assert found["chrf"] == round(chrf.corpus_score(texts, [references]).score, 4)
    assert found["ter"] == round(ter.corpus_score(texts, [references]).score, 4)
    assert found["signatures"] == {
        "bleu_lowercased": str(lowercased.get_signature()),
        "chrf": str(chrf.get_signature()),
        "ter": str(ter.get_signature()),
    }
    assert found["test_pairs"] == 60
    assert found["bleu_lowercased"] > found["bleu"] + 1


def test_the_interval_is_the_one_that_the_signature_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    texts, references = corpus()
    found = scored(texts, references)
    metric = BLEU()
    theirs = metric.corpus_score(texts, [references], n_bootstrap=200)
    low, high = found["bleu_interval"]
    assert low < found["bleu"] < high
    assert found["signature"] == str(metric.get_signature())
    half_width = json.loads(theirs.format(width=4, signature=found["signature"], is_json=True))["confidence_var"]
    assert (high - low) / 2 == pytest.approx(half_width, abs=2e-4)


def test_the_environment_does_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, references = corpus()
    found = scored(texts, references)
    monkeypatch.setenv("SACREBLEU_SEED", "1")
    assert scored(texts, references) == found


def test_equal_texts_have_perfect_scores() -> None:
    _, references = corpus()
    found = scored(references, references)
    assert (found["bleu"], found["bleu_interval"], found["chrf"], found["ter"]) == (100, [100, 100], 100, 0)
    assert found["length_ratio"] == 1


def test_empty_translations_score_nothing() -> None:
    _, references = corpus()
    found = scored([""] * 60, references)
    assert (found["bleu"], found["bleu_interval"], found["chrf"], found["ter"]) == (0, [0, 0], 0, 100)
    assert found["length_ratio"] == 0


def test_a_single_empty_translation_or_reference_is_scored_with_the_others() -> None:
    found = scored(["", "A man sees two dogs", "a"], ["A man", "A man sees two dogs", ""])
    assert 0 < found["bleu"] < 100


def test_the_tokenizer_is_the_one_that_was_set() -> None:
    settings = EvaluationSettings(bleu_tokenizer="char", bootstrap_samples=100)
    found = scored(["我喜欢狗。"], ["我喜欢猫。"], settings)
    assert found["bleu"] > 0
    assert "tok:char" in found["signature"]


def test_bleu_of_added_counts_is_the_corpus_bleu_of_these_pairs() -> None:
    texts, references = corpus()
    counts_PX = score_sentences(texts, references, SETTINGS).counts_PX
    expected = BLEU().corpus_score(texts[10:30], [references[10:30]]).score
    assert bleu_of(counts_PX[10:30].sum(0)) == pytest.approx(expected)
    assert counts_PX.dtype == np.int64


def test_sentence_bleu_does_not_punish_a_sentence_for_being_short() -> None:
    sentences = score_sentences(["two dogs", "two cats"], ["two dogs", "two dogs"], SETTINGS)
    assert sentences.bleu[0] == pytest.approx(100)
    assert sentences.bleu[1] < 100
    assert sentences.chrf[0] == 100 > sentences.chrf[1]
