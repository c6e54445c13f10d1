"""The `compare` step: which of two models translates the same test pairs better, and whether that can be chance."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.bleu import BLEU

from seq2seq.errors import CorpusError
from seq2seq.metrics import bleu_of, interval, resamples, score_sentences, signature
from seq2seq.pipeline import Job, Step
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.settings.promotion import PromotionSettings
from seq2seq.storage.artifacts import Artifact

COMPARE = Step(
    "compare",
    "seq2seq.registry.comparison:compare",
    ("evaluation",),
    {"champion": ("translations",), "challenger": ("translations",)},
    ("sacrebleu", "numpy"),
)
"""Compares two records of `evaluate`."""

TRANSLATIONS = "translations.jsonl"
Row = Mapping[str, Any]


def compare(evaluation: EvaluationSettings, champion: Artifact, challenger: Artifact, job: Job) -> dict[str, Any]:
    """Write `comparison.json`. Raises CorpusError unless both translated the same test pairs."""
    found = compare_files(evaluation, champion.file(TRANSLATIONS), challenger.file(TRANSLATIONS))
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (job.into / "comparison.json").write_text(text, encoding="utf-8")
    return found


def compare_files(evaluation: EvaluationSettings, champion: Path, challenger: Path) -> dict[str, Any]:
    """Compare two `translations.jsonl` of `evaluate`: difference = challenger - champion, in points of corpus BLEU.

    `difference_interval` and `p_value` come from a paired bootstrap (Koehn 2004, "Statistical significance tests for
    machine translation evaluation"): both are scored on the same resampled test sets. `better`, `worse` and `equal`
    count the sentences by sentence BLEU of the challenger against that of the champion.
    """
    rows = _rows(champion), _rows(challenger)
    _check_same_pairs(*rows)
    references = [row["reference"] for row in rows[0]]
    texts = [[row["translation"] for row in half] for half in rows]
    metric = BLEU(tokenize=evaluation.bleu_tokenizer, force=True)
    old_bleu, new_bleu = (metric.corpus_score(half, [references]).score for half in texts)
    before, after = (score_sentences(half, references, evaluation) for half in texts)
    drawn = bleu_differences(before.counts_PX, after.counts_PX, evaluation.bootstrap_samples)
    signs = np.sign(np.subtract(after.bleu, before.bleu))
    return {
        "champion": {"bleu": round(old_bleu, 4)},
        "challenger": {"bleu": round(new_bleu, 4)},
        "difference": round(new_bleu - old_bleu, 4),
        "difference_interval": interval(drawn),
        "p_value": p_value(drawn, new_bleu - old_bleu),
        "better": int((signs > 0).sum()),
        "worse": int((signs < 0).sum()),
        "equal": int((signs == 0).sum()),
        "test_pairs": len(references),
        "samples": evaluation.bootstrap_samples,
        "signature": signature(metric, evaluation),
    }


def bleu_differences(
    champion_PX: npt.NDArray[np.int64], challenger_PX: npt.NDArray[np.int64], samples: int
) -> npt.NDArray[np.float64]:
    """Difference of corpus BLEU on each resampled test set."""
    draws = resamples(len(champion_PX), samples)
    return np.array([bleu_of(challenger_PX[draw].sum(0)) - bleu_of(champion_PX[draw].sum(0)) for draw in draws])


def p_value(drawn: npt.NDArray[np.float64], difference: float) -> float:
    """How often chance alone gives a difference of this size, as sacreBLEU's paired bootstrap counts it.

    Differences are shifted to the mean that they would have if both systems were equally good. Those in the
    direction of the difference found are counted, so that `level` is the share of challengers no better than their
    champion that are nevertheless called better. Equal translations give 1 (sacreBLEU: 1 / (samples + 1)).
    """
    if not drawn.any():
        return 1.0
    sizes = np.abs(drawn)
    return float((np.sum(sizes - sizes.mean() > abs(difference)) + 1) / (len(drawn) + 1))


def judge(comparison: Mapping[str, Any], promotion: PromotionSettings) -> tuple[bool, str]:
    """Whether the challenger takes the champion's place under the policy, and why in words."""
    p, level, policy = comparison["p_value"], promotion.level, promotion.policy
    finding = _finding(comparison["difference"], p < level)
    promote = {"better": finding == "better", "not_worse": finding != "worse", "always": True}[policy]
    old, new = comparison["champion"]["bleu"], comparison["challenger"]["bleu"]
    words = f"BLEU {new:.1f} against {old:.1f}, p = {p:.3g} {'<' if p < level else '≥'} {level:g}: {finding}"
    return promote, words if policy == "better" else f"{words}; promotion.policy is {policy}"


def _finding(difference: float, significant: bool) -> str:
    if difference == 0:
        return "equal"
    return ("" if significant else "not significantly ") + ("better" if difference > 0 else "worse")


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as table:
        return [json.loads(line) for line in table]


def _check_same_pairs(old: Sequence[Row], new: Sequence[Row]) -> None:
    for number, (one, other) in enumerate(zip(old, new, strict=False), 1):
        for side in ("source", "reference"):
            if one[side] != other[side]:
                raise CorpusError(
                    f"The two models were scored on different test pairs: in line {number:,} the {side} is "
                    f"{one[side]!r} for one and {other[side]!r} for the other. Score both on one test set."
                )
    if len(old) != len(new):
        raise CorpusError(
            f"The two models were scored on different test sets, of {len(old):,} and {len(new):,} pairs. Score "
            "both on one."
        )
