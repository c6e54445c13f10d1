"""Scores of translations against references: sacreBLEU's (Post 2018), with the signatures that say which ones.

All of them compare detokenized text with raw references. Percentages have four decimals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq.settings.evaluation import EvaluationSettings

BOOTSTRAP_SEED = 12345
"""sacreBLEU's own default. It reads another from the environment; here equal inputs give equal intervals."""


@dataclass(frozen=True)
class SentenceScores:
    """Scores of each sentence, and the counts that BLEU of any subset is made of."""

    bleu: list[float]
    """With effective order: n-grams longer than the sentence do not count."""
    chrf: list[float]
    counts_PX: npt.NDArray[np.int64]
    """For each pair: translation length, reference length, matched n-grams of order 1 to 4, all n-grams of 1 to 4."""


def score(
    translations: Sequence[str], references: Sequence[str], sentences: SentenceScores, settings: EvaluationSettings
) -> dict[str, Any]:
    """Corpus scores of one pair or more; `sentences` is what `score_sentences` gives for them.

    `bleu`, `bleu_interval` (low and high end of the 95 % bootstrap interval, Koehn 2004), `bleu_lowercased`, `chrf`
    (Popović 2015), `ter` (Snover et al. 2006; lower is better), `signature` (that of `bleu`), `signatures` (of the
    others), `test_pairs`, `length_ratio` (tokens of the translations over tokens of the references).
    """
    bleu = BLEU(tokenize=settings.bleu_tokenizer, force=True)
    others = {
        "bleu_lowercased": BLEU(tokenize=settings.bleu_tokenizer, lowercase=True, force=True),
        "chrf": CHRF(),
        "ter": TER(),
    }
    metrics = {"bleu": bleu, **others}
    found = {name: metric.corpus_score(list(translations), [list(references)]) for name, metric in metrics.items()}
    drawn = [
        bleu_of(sentences.counts_PX[rows].sum(0)) for rows in resamples(len(references), settings.bootstrap_samples)
    ]
    scores: dict[str, Any] = {name: round(result.score, 4) for name, result in found.items()}
    return scores | {
        "bleu_interval": interval(drawn),
        "signature": signature(bleu, settings),
        "signatures": {name: str(metric.get_signature()) for name, metric in others.items()},
        "test_pairs": len(references),
        "length_ratio": round(found["bleu"].ratio, 4),
    }


def score_sentences(
    translations: Sequence[str], references: Sequence[str], settings: EvaluationSettings
) -> SentenceScores:
    """Scores of each sentence for itself."""
    bleu, chrf = BLEU(tokenize=settings.bleu_tokenizer, effective_order=True, force=True), CHRF()
    found = [bleu.sentence_score(text, [wanted]) for text, wanted in zip(translations, references, strict=True)]
    return SentenceScores(
        [round(result.score, 4) for result in found],
        [
            round(chrf.sentence_score(text, [wanted]).score, 4)
            for text, wanted in zip(translations, references, strict=True)
        ],
        np.array([[result.sys_len, result.ref_len, *result.counts, *result.totals] for result in found]),
    )


def bleu_of(counts_X: npt.NDArray[np.int64]) -> float:
    """Corpus BLEU of pairs whose counts were added up: with any subset's sum, the BLEU of that subset."""
    translation_length, reference_length, *grams = (int(count) for count in counts_X)
    found: float = BLEU.compute_bleu(grams[:4], grams[4:], translation_length, reference_length, "exp").score
    return found


def resamples(pairs: int, samples: int) -> Iterator[npt.NDArray[np.int64]]:
    """The pairs of each resampled test set (Koehn 2004): those that sacreBLEU draws with the seed in its signature."""
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    return (generator.choice(pairs, pairs) for _ in range(samples))


def interval(drawn: npt.ArrayLike) -> list[float]:
    """Ends of the 95 % interval of what was found on the resamples: 1 in 40 lies below it, 1 in 40 above."""
    ordered = np.sort(drawn)
    outside = len(ordered) // 40
    return [round(float(end), 4) for end in ordered[[outside, -1 - outside]]]


def signature(metric: BLEU, settings: EvaluationSettings) -> str:
    """sacreBLEU's, of a metric that has scored, with the resampling in it."""
    found = metric.get_signature()
    found.update("bs", settings.bootstrap_samples)
    found.update("seed", BOOTSTRAP_SEED)
    return str(found)
