"""From text to text: what turns a model folder into a translator."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import numpy as np
import torch

from seq2seq.batching import batches_by_length, pad_sources
from seq2seq.decoding.beam_search import beam_search
from seq2seq.decoding.forced import forced_scores
from seq2seq.decoding.request import check_n_best, check_precision, check_search, chunks_of, texts_of
from seq2seq.decoding.steps import greedy, longest_translation
from seq2seq.decoding.translation import Translation
from seq2seq.device import autocast
from seq2seq.engine import Engine, engine_of_model, load_engine
from seq2seq.errors import CorpusError, UserError
from seq2seq.models.memory import StepModel
from seq2seq.registry.champions import resolve_each
from seq2seq.registry.model_folder import FolderConfig, LoadedModel
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.subwords.special_tokens import UNK

FEWEST_SENTENCES = 32
"""No batch is made smaller than that to give another core something to do."""
BATCHES_PER_CHUNK = 16
"""Batches' worth of lines that are sorted by length together when a stream is translated."""

T = TypeVar("T")
Found = Sequence[Sequence[tuple[list[int], float | None]]]
"""Of each sentence the tokens of its translations, best first, with their scores."""
Search = Callable[[StepModel[Any, Any], torch.Tensor, torch.Tensor, torch.Tensor], Found]
"""What decodes a batch: `beam_search` with its options, or greedy search."""


class Translator:
    """A loaded model. Sentences go in as raw text and come out as detokenized text.

    In fp32 a translation does not depend on the sentences that it is decoded with, but for rounding. Large inputs
    go through several threads, `runtime.threads` of them, batch by batch.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tags = engine.source_tokenizer.num_special_tokens_to_add(False)
        self._threads = torch.get_num_threads() if engine.device.type == "cpu" else 1
        self._process = os.getpid()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Translator cannot be pickled: load it in each process, or use seq2seq.translator_pool.TranslatorPool."
        )

    @classmethod
    def of(cls, loaded: LoadedModel, precision: str = "fp32") -> Self:
        """A translator with a model that is loaded; `precision` is as in `load`."""
        check_precision(precision)
        return cls(engine_of_model(loaded, precision))

    @classmethod
    def load(
        cls,
        folder: Path | str | Sequence[Path | str],
        runtime: RuntimeSettings | None = None,
        precision: str = "fp32",
        target_language: str = "",
    ) -> Self:
        """Load a model folder, or several with the same vocabularies that decode as one (`seq2seq.decoding.ensemble`).

        `precision` is fp32, bf16, auto (bf16 where the processor computes in it) or int8 (see
        `seq2seq.decoding.quantization`; what it leaves in floating point is as in auto), which runs on the CPU.

        `runtime.threads` is PyTorch's setting for the whole process, and from then on freed memory is kept for what
        comes next (`seq2seq.device.configure`). With more than one thread a translator works in this process alone:
        after a fork it raises UserError in the child.

        The folder of a language pair (models/ko-en) stands for the model that is in use there. `target_language` may
        be either language of a model for both directions; if empty, it is the one that config.json names. The folder
        of an export (`seq2seq.export`) is run by onnxruntime on the CPU, in the arithmetic and into the language that
        it was exported for: `precision` is fp32 then. Raises ModelError for a folder that is not in order, a language
        that the model does not know, or models that cannot decode together, ConfigError for a device that is not there
        or another precision, and UserError for an export where onnxruntime is not installed.
        """
        check_precision(precision)
        return cls(load_engine(resolve_each(folder), runtime or RuntimeSettings(), precision, target_language))

    @property
    def config(self) -> FolderConfig:
        """Languages, vocabulary sizes and settings of the model."""
        return self._engine.config

    def translate(
        self,
        sentences: Iterable[str],
        beam_size: int = 5,
        length_penalty: float = 1.0,
        batch_sentences: int = 128,
    ) -> list[str]:
        """Translations in the order of the sentences. See `translate_in_detail`."""
        return [
            translation.text
            for translation in self.translate_in_detail(sentences, beam_size, length_penalty, batch_sentences)
        ]

    def translate_in_detail(
        self,
        sentences: Iterable[str],
        beam_size: int = 5,
        length_penalty: float = 1.0,
        batch_sentences: int = 128,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Translation]:
        """Translations with what is known of them, in the order of the sentences.

        `beam_size` hypotheses are kept of each sentence (1 is greedy), `length_penalty` is the exponent of the length
        that divides a log-probability, and `batch_sentences` are decoded together at most.
        Sentences of like length are decoded together. No source is cut, however long. A sentence without a token
        (blank, or nothing but invisible characters) has an empty translation and never reaches the model.
        `progress` is told after each batch how many sentences are done, and may raise to end the work.

        Raises ConfigError for options that are out of range, and what `seq2seq.decoding.request.texts_of` does.
        """
        check_search(beam_size, length_penalty, batch_sentences)
        beam = partial(beam_search, beam_size=beam_size, length_penalty=length_penalty)
        found = self._decoded(texts_of(sentences), _greedy if beam_size == 1 else beam, batch_sentences, progress)
        return [best for best, *_ in found]

    def n_best(
        self,
        sentences: Iterable[str],
        count: int,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        batch_sentences: int = 128,
    ) -> list[list[Translation]]:
        """The `count` best translations of each sentence, best first, in the order of the sentences.

        Fewer where beam search has found no more (a sentence without a token has one, with score 0). Two of them can
        have one text, cut into subwords in two ways. Options and errors are those of `translate_in_detail`; and
        ConfigError for a count above `beam_size`.
        """
        check_search(beam_size, length_penalty, batch_sentences)
        check_n_best(count, beam_size)
        beam = partial(beam_search, beam_size=beam_size, length_penalty=length_penalty, count=count)
        return self._decoded(texts_of(sentences), beam, batch_sentences)

    def _decoded(
        self,
        texts: Sequence[str],
        search: Search,
        batch_sentences: int,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[list[Translation]]:
        sources = self._encode(texts)
        translations = [[Translation("", score=0.0)] for _ in sources]
        done = sum(not source for source in sources)
        share = max(FEWEST_SENTENCES, math.ceil((len(sources) - done) / self._threads))
        batches = list(batches_by_length([len(source) for source in sources], min(batch_sentences, share)))

        def work(rows: Sequence[int]) -> list[list[Translation]]:
            return self._translate_batch([sources[row] for row in rows], search)

        for rows, found in zip(batches, self._side_by_side(work, batches), strict=True):
            for row, best in zip(rows, found, strict=True):
                translations[row] = best
            done += len(rows)
            progress(done)
        return translations

    def stream(
        self,
        lines: Iterable[str],
        beam_size: int = 5,
        length_penalty: float = 1.0,
        batch_sentences: int = 128,
    ) -> Iterator[str]:
        """One line out for each line in, in order, with bounded memory: 16 batches' worth of lines are read ahead.

        Options and errors are those of `translate_in_detail`; they are raised when the first line is asked for, and an
        error of a line after the translations of all lines before it.
        """
        check_search(beam_size, length_penalty, batch_sentences)
        for chunk in chunks_of(lines, BATCHES_PER_CHUNK * batch_sentences):
            yield from self.translate(chunk, beam_size, length_penalty, batch_sentences)

    def score(
        self,
        sources: Iterable[str],
        translations: Iterable[str],
        length_penalty: float = 1.0,
        batch_sentences: int = 128,
    ) -> list[float]:
        """log p(translation | source) / (tokens, end mark included) ** `length_penalty` of each pair, in nats.

        What beam search would give these very tokens: with the default the mean of the tokens' log-probabilities, which
        sorts the pairs of a corpus by how well they fit, or another system's translations by what this model thinks of
        them. A sentence without a token is scored like any other. Raises ConfigError for options that are out of range,
        CorpusError where the two sides differ in number, and what `seq2seq.decoding.request.texts_of` does.
        """
        check_search(1, length_penalty, batch_sentences)
        texts = texts_of(sources), texts_of(translations)
        if len(texts[0]) != len(texts[1]):
            raise CorpusError(
                f"There are {len(texts[0]):,} sources and {len(texts[1]):,} translations: each needs its own."
            )
        engine = self._engine
        tokenizers = engine.source_tokenizer, engine.target_tokenizer
        ids = [
            [each.ids for each in tokenizer.encode_batch_fast(side)]
            for tokenizer, side in zip(tokenizers, texts, strict=True)
        ]
        scores = [0.0] * len(ids[0])
        lengths = [len(source) + len(target) + 2 for source, target in zip(*ids, strict=True)]
        batches = list(batches_by_length(lengths, batch_sentences))

        def work(rows: Sequence[int]) -> list[float]:
            (source_BS, source_lengths_B), (target_BT, target_lengths_B) = (
                pad_sources([np.asarray(side[row], dtype=np.int32) for row in rows]) for side in ids
            )
            batch = source_BS.to(engine.device), source_lengths_B, target_BT.to(engine.device), target_lengths_B
            with autocast(engine.precision, engine.device):
                found: list[float] = forced_scores(engine.model, *batch, length_penalty).tolist()
            return found

        for rows, found in zip(batches, self._side_by_side(work, batches), strict=True):
            for row, score in zip(rows, found, strict=True):
                scores[row] = score
        return scores

    def _side_by_side(self, work: Callable[[Sequence[int]], T], batches: Sequence[Sequence[int]]) -> Iterator[T]:
        """`work` on each batch, in order: several at a time with a thread of operations each, or one with all.

        An operation lets go of Python's lock. Two batches on two cores gain more than one batch whose every operation
        is divided (LAB.md). What is not begun when the caller leaves is never begun.
        """
        if self._threads > 1 and self._process != os.getpid():  # OpenMP would wait for threads that are not here
            raise UserError(
                f"This translator was loaded before this process was forked, and its {self._threads} threads did not "
                "come along: load it after the fork, in each process, or with RuntimeSettings(threads=1)."
            )
        if self._threads == 1 or len(batches) == 1:
            yield from map(work, batches)
            return
        try:
            with ThreadPoolExecutor(self._threads, "translate", torch.set_num_threads, (1,)) as pool:
                yield from pool.map(work, batches)
        finally:
            torch.set_num_threads(self._threads)

    def _encode(self, sentences: Sequence[str]) -> list[list[int]]:
        encodings = self._engine.source_tokenizer.encode_batch_fast(sentences)
        return [encoding.ids if len(encoding.ids) > self._tags else [] for encoding in encodings]

    def _translate_batch(self, sources: Sequence[Sequence[int]], search: Search) -> list[list[Translation]]:
        source_BS, lengths_B = pad_sources([np.asarray(source, dtype=np.int32) for source in sources])
        limits = [longest_translation(length) for length in lengths_B.tolist()]
        engine = self._engine
        with torch.inference_mode(), autocast(engine.precision, engine.device):
            found = search(engine.model, source_BS.to(engine.device), lengths_B, torch.tensor(limits))
        texts = iter(engine.target_tokenizer.decode_batch([target for best in found for target, _ in best]))
        return [
            [
                Translation(
                    " ".join(next(texts).split()),
                    len(source) - self._tags,
                    len(target),
                    source.count(UNK),
                    len(target) >= limit,
                    score,
                )
                for target, score in best
            ]
            for source, limit, best in zip(sources, limits, found, strict=True)
        ]


def _greedy(*batch: Any) -> Found:
    return [[(target, None)] for target in greedy(*batch)]
