"""The `evaluate` step: translate the test split and score it against the raw references."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.attention_maps import attention_map
from seq2seq.corpora.pairs import Pairs, read_pairs
from seq2seq.decoding.quantization import int8_runs
from seq2seq.decoding.translation import Translation
from seq2seq.device import DECODING_KERNELS, configure
from seq2seq.errors import CorpusError, TrainingInterrupted
from seq2seq.metrics import SentenceScores, bleu_of, score, score_sentences
from seq2seq.pipeline import Job
from seq2seq.registry.model_folder import LoadedModel, load_model
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.translator import Translator

EXAMPLES = 5
"""Sentences of each kind that the statistics show: any, the best, the worst."""
ATTENTION_MAPS = 4
ATTENTION_MAP_TOKENS = range(5, 25)
"""Tokens of a source and of a translation whose attention is drawn: more cannot be read, fewer say little."""
LENGTH_BUCKETS = (0, 10, 20, 30, 40, 60)
"""Source tokens above which the next bucket begins."""

SHOWN = ("source", "reference", "translation", "bleu", "chrf", "source_tokens")
"""What the statistics hold of a sentence."""


@dataclass(frozen=True)
class EvaluationProgress:
    """A message to whoever watches: so many of the test sentences are translated."""

    sentences: int
    of: int


def evaluate(evaluation: EvaluationSettings, train: Artifact, clean: Artifact, job: Job) -> dict[str, Any]:
    """Score on the split that `clean` is limited to, the test split or the validation split.

    Write `scores.json`, `translations.jsonl` (a line for each pair), `log/timing.json` and `log/attention.json`.

    The last holds attention maps of a few sentences, and is empty for a model without attention.

    Raises CorpusError when that split has no pair, ModelError when the model does not load, and TrainingInterrupted
    when the job is asked to stop.
    """
    loaded = load_model(train.folder, configure(job.runtime, kernels=DECODING_KERNELS))
    (split,) = clean.parts
    test = _read(clean, split)
    loaded = _facing(loaded, test)
    translator = Translator.of(loaded)
    sources, references = test.texts("source"), test.texts("target")
    started = time.perf_counter()
    translations = _translate(translator, sources, evaluation, job)
    seconds = time.perf_counter() - started
    texts = [translation.text for translation in translations]
    sentences = score_sentences(texts, references, evaluation)
    scores = score(texts, references, sentences, evaluation) | _counts(translations, sentences)
    if evaluation.int8:
        scores["int8"] = _int8(train.folder, test, scores["bleu"], evaluation, job)
    rows = list(_rows(sources, references, translations, sentences))
    _write(job, scores, rows, seconds)
    _write_log(job, "attention", _attention_maps(loaded, rows))
    best, worst = _best_and_worst(rows)
    return scores | {
        "split": split,
        "languages": [test.source_language, test.target_language],
        "examples": _shown(_spread(rows, EXAMPLES)),
        "best": best,
        "worst": worst,
        "sentences_per_second": round(len(sources) / seconds, 1),
    }


def _translate(
    translator: Translator, sources: Sequence[str], evaluation: EvaluationSettings, job: Job
) -> list[Translation]:
    return translator.translate_in_detail(
        sources,
        evaluation.beam_size,
        evaluation.length_penalty,
        evaluation.batch_sentences,
        _watch(job, len(sources)),
    )


def _int8(folder: Path, test: Pairs, bleu: float, evaluation: EvaluationSettings, job: Job) -> dict[str, float] | None:
    """BLEU of the model in int8 and its difference to `bleu`; None where the processor has no int8 kernels."""
    if not int8_runs():
        return None
    translator = Translator.of(_facing(load_model(folder), test), "int8")
    translations = _translate(translator, test.texts("source"), evaluation, job)
    sentences = score_sentences([each.text for each in translations], test.texts("target"), evaluation)
    found = round(bleu_of(sentences.counts_PX.sum(0)), 4)
    return {"bleu": found, "difference": round(found - bleu, 4)}


def _read(clean: Artifact, split: str) -> Pairs:
    if not clean.has(f"{split}.arrow"):
        raise CorpusError(f"There is no {split} split to score on: name one in corpus.{split}.")
    pairs = read_pairs(clean.file(f"{split}.arrow"))
    if not len(pairs):
        raise CorpusError(f"The {split} split has no pair: name another in corpus.{split}, or fill it.")
    return pairs


def _facing(loaded: LoadedModel, test: Pairs) -> LoadedModel:
    """The model as it translates in the direction of the test split."""
    model = loaded.config
    ours, theirs = (model.source_language, model.target_language), (test.source_language, test.target_language)
    if ours != theirs[::-1] or ours == theirs:
        return loaded
    if not loaded.both_directions:
        raise CorpusError(
            f"The model translates {ours[0]} to {ours[1]}, and the test split goes from {theirs[0]} to {theirs[1]}: "
            "swap corpus.source_language and corpus.target_language."
        )
    return loaded.into(test.target_language)


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
        text, _ = details.pop("text"), details.pop("score")  # whose last digits depend on the batch
        yield {"source": source, "reference": reference, "translation": text, "bleu": bleu, "chrf": chrf} | details


def _spread(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many rows (or all), spread evenly over the test split."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    return [rows[place] for place in places]


def _best_and_worst(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """By sentence BLEU, then chrF, among sources that are at least as long as the median: short ones say little.

    Of equally good ones the longest come first. A source is shown once, and no perfect translation among the worst.
    """
    median = np.median([row["source_tokens"] for row in rows])
    distinct = {row["source"]: row for row in rows if row["source_tokens"] >= median}
    half = (len(distinct) + 1) // 2
    best = sorted(distinct.values(), key=lambda row: (-row["bleu"], -row["chrf"], -row["source_tokens"]))[:half]
    worst = sorted(distinct.values(), key=lambda row: (row["bleu"], row["chrf"], -row["source_tokens"]))
    shown = {row["source"] for row in best}
    worst = [row for row in worst if row["source"] not in shown and row["translation"] != row["reference"]]
    return _shown(best[:EXAMPLES]), _shown(worst[:EXAMPLES])


def _shown(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in SHOWN} for row in rows]


def _attention_maps(loaded: LoadedModel, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    fitting = [row for row in rows if {row["source_tokens"], row["target_tokens"]} <= set(ATTENTION_MAP_TOKENS)]
    chosen = _spread(fitting, ATTENTION_MAPS)
    maps = (attention_map(loaded, row["source"], row["translation"]) for row in chosen)
    return [asdict(one) for one in maps if one is not None]


def _write(job: Job, scores: dict[str, Any], rows: Sequence[dict[str, Any]], seconds: float) -> None:
    text = json.dumps(scores, indent=2, ensure_ascii=False) + "\n"
    (job.into / "scores.json").write_text(text, encoding="utf-8")
    with (job.into / "translations.jsonl").open("w", encoding="utf-8", newline="\n") as table:
        for row in rows:
            table.write(json.dumps(row, ensure_ascii=False) + "\n")
    _write_log(job, "timing", {"translation_seconds": round(seconds, 3), "sentences": len(rows)})


def _write_log(job: Job, name: str, content: Any) -> None:
    """Write what may differ from run to run in its last digits: beside the content, not in it."""
    (job.into / "log").mkdir(exist_ok=True)
    text = json.dumps(content, ensure_ascii=False) + "\n"
    (job.into / "log" / f"{name}.json").write_text(text, encoding="utf-8")
