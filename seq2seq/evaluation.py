"""The `evaluate` step: translate the test split and score it against the raw references."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from seq2seq.artifacts import Artifact
from seq2seq.corpora.pairs import Pairs, read_pairs
from seq2seq.errors import CorpusError, TrainingInterrupted
from seq2seq.metrics import SentenceScores, bleu_of, score, score_sentences
from seq2seq.model_folder import FolderConfig
from seq2seq.pipeline import Job
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.translator import Translation, Translator

EXAMPLES = 5
LENGTH_BUCKETS = (0, 10, 20, 30, 40, 60)
"""Source tokens above which the next bucket begins."""


@dataclass(frozen=True)
class EvaluationProgress:
    """A message to whoever watches: so many of the test sentences are translated."""

    sentences: int
    of: int


def evaluate(evaluation: EvaluationSettings, train: Artifact, clean: Artifact, job: Job) -> dict[str, Any]:
    """Write `scores.json`, `translations.jsonl` (a line for each pair) and `log/timing.json`.

    Raises CorpusError when there is no test pair, ModelError when the model does not load, and TrainingInterrupted
    when the job is asked to stop.
    """
    translator = Translator.load(train.folder, job.runtime)
    test = _read_test(clean, translator.config)
    sources, references = test.frame["source"].tolist(), test.frame["target"].tolist()
    started = time.perf_counter()
    translations = translator.translate_in_detail(
        sources,
        evaluation.beam_size,
        evaluation.length_penalty,
        evaluation.batch_sentences,
        _watch(job, len(sources)),
    )
    seconds = time.perf_counter() - started
    texts = [translation.text for translation in translations]
    sentences = score_sentences(texts, references, evaluation)
    scores = score(texts, references, evaluation) | _counts(translations, sentences)
    rows = list(_rows(sources, references, translations, sentences))
    _write(job, scores, rows, seconds)
    return scores | {"examples": _examples(rows), "sentences_per_second": round(len(sources) / seconds, 1)}


def _read_test(clean: Artifact, model: FolderConfig) -> Pairs:
    if not clean.has("test.arrow"):
        raise CorpusError("There is no test split to score on: name one in corpus.test.")
    test = read_pairs(clean.file("test.arrow"))
    if test.frame.empty:
        raise CorpusError("The test split has no pair: name another in corpus.test, or fill it.")
    ours, theirs = (model.source_language, model.target_language), (test.source_language, test.target_language)
    if ours == theirs[::-1] and ours != theirs:
        raise CorpusError(
            f"The model translates {ours[0]} to {ours[1]}, and the test split goes from {theirs[0]} to {theirs[1]}: "
            "swap corpus.source_language and corpus.target_language."
        )
    return test


def _watch(job: Job, total: int) -> Callable[[int], None]:
    def progress(done: int) -> None:
        job.notify(EvaluationProgress(done, total))
        if job.should_stop():
            raise TrainingInterrupted(
                f"Evaluation stopped after {done:,} of {total:,} sentences; the same command starts it again."
            )

    return progress


def _counts(translations: Sequence[Translation], sentences: SentenceScores) -> dict[str, Any]:
    return {
        "sources_with_unknown_tokens": sum(translation.unknown_tokens > 0 for translation in translations),
        "at_length_limit": sum(translation.at_limit for translation in translations),
        "by_source_length": list(_by_source_length(translations, sentences)),
    }


def _by_source_length(translations: Sequence[Translation], sentences: SentenceScores) -> Iterator[dict[str, Any]]:
    """Corpus BLEU of the test pairs whose sources are about as long; `to` is null in the last bucket."""
    lengths = np.array([translation.source_tokens for translation in translations])
    for above, to in pairwise((*LENGTH_BUCKETS, math.inf)):
        chosen = (lengths > above) & (lengths <= to)
        if chosen.any():
            bleu = round(bleu_of(sentences.counts_PX[chosen].sum(0)), 4)
            last = None if math.isinf(to) else to
            yield {"from": above + 1, "to": last, "pairs": int(chosen.sum()), "bleu": bleu}


def _rows(
    sources: Sequence[str],
    references: Sequence[str],
    translations: Sequence[Translation],
    sentences: SentenceScores,
) -> Iterator[dict[str, Any]]:
    columns = zip(sources, references, translations, sentences.bleu, sentences.chrf, strict=True)
    for source, reference, translation, bleu, chrf in columns:
        details = asdict(translation)
        text = details.pop("text")
        yield {"source": source, "reference": reference, "translation": text, "bleu": bleu, "chrf": chrf} | details


def _examples(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """A few rows, spread evenly over the test split."""
    places = np.unique(np.linspace(0, len(rows) - 1, EXAMPLES).round().astype(int))
    return [{name: rows[place][name] for name in ("source", "reference", "translation")} for place in places]


def _write(job: Job, scores: dict[str, Any], rows: Sequence[dict[str, Any]], seconds: float) -> None:
    text = json.dumps(scores, indent=2, ensure_ascii=False) + "\n"
    (job.into / "scores.json").write_text(text, encoding="utf-8")
    with (job.into / "translations.jsonl").open("w", encoding="utf-8", newline="\n") as table:
        for row in rows:
            table.write(json.dumps(row, ensure_ascii=False) + "\n")
    timing = {"translation_seconds": round(seconds, 3), "sentences": len(rows)}
    (job.into / "log").mkdir(exist_ok=True)
    (job.into / "log" / "timing.json").write_text(json.dumps(timing, indent=2) + "\n", encoding="utf-8")
