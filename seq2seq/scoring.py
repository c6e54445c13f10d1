"""The score that selects models during training: kept apart from the evaluation, which may then change alone."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU

from seq2seq.errors import CorpusError


def validation_bleu(translations: Sequence[str], references: Sequence[str], tokenizer: str = "13a") -> float:
    """Cased corpus BLEU in percent (Papineni et al. 2002, as sacreBLEU defines it) of detokenized text.

    `tokenizer` is one of sacreBLEU's. Raises CorpusError when there is no pair to score.
    """
    if not references:
        raise CorpusError("There is no pair to score: the validation split is empty.")
    score: float = BLEU(tokenize=tokenizer, force=True).corpus_score(list(translations), [list(references)]).score
    return score
