import pytest
from sacrebleu.metrics import BLEU

from seq2seq.errors import CorpusError
from seq2seq.training.validation import validation_bleu


def test_validation_bleu_is_the_cased_corpus_bleu() -> None:
    texts, references = ["A man sees two dogs", "in the Park."], ["A man sees two dogs.", "in the park."]
    assert validation_bleu(texts, references) == BLEU().corpus_score(texts, [references]).score
    assert validation_bleu(texts, references) < BLEU(lowercase=True).corpus_score(texts, [references]).score
    assert validation_bleu(["我喜欢狗。"], ["我喜欢猫。"], "zh") > 0


def test_validation_needs_a_pair() -> None:
    with pytest.raises(CorpusError, match="validation split is empty"):
        validation_bleu([], [])
