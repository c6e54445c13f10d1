"""Translation that several processes share.

The threads of a `Translator` wait for Python's lock whenever two operations end together: two cores gave 1.5 times one
in greedy translation and 1.8 with beam 5, two processes 1.8 and 2.0 (LAB.md, "Translation by two processes").
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from seq2seq import translator_process
from seq2seq.children import PATIENCE_SECONDS, Child, end
from seq2seq.cores import usable_cores
from seq2seq.decoding.request import check_n_best, check_precision, check_search, texts_of
from seq2seq.decoding.translation import Translation
from seq2seq.errors import Seq2SeqError
from seq2seq.registry.champions import resolve_each
from seq2seq.settings.runtime import RuntimeSettings

AFTER_AN_ERROR_SECONDS = 1
"""Time that processes get to end which may be in the middle of a translation that nobody wants any more."""


class TranslatorPool:
    """`runtime.processes` translators, each in a process of its own (`seq2seq.translator_process`).

    For much text: a process takes seconds to start, and has a copy of the model. `runtime.threads` are divided among
    them. A `with` statement or `close` ends them. Callers in several threads wait for one another. Arguments are those
    of `Translator.load`, and so are the errors, of which those of loading come with the first translation. A process
    that fails or is lost closes the pool with an error that says how; an interrupted call leaves it of no use.
    """

    def __init__(
        self,
        folder: Path | str | Sequence[Path | str],
        runtime: RuntimeSettings,
        precision: str = "fp32",
        target_language: str = "",
    ) -> None:
        check_precision(precision)
        champions = [each.resolve() for each in resolve_each(folder)]
        threads = (runtime.threads or usable_cores()) // runtime.processes
        each = runtime.model_copy(update={"threads": max(1, threads)})
        self._children = [Child(translator_process.__name__) for _ in range(runtime.processes)]
        for child in self._children:
            child.connection.send((champions, each, precision, target_language))
        self._lock = threading.RLock()
        self._answers_due = False
        """A call has asked and not heard all answers: now, or since it was interrupted."""
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(AFTER_AN_ERROR_SECONDS if error else PATIENCE_SECONDS)

    def close(self) -> None:
        """End the processes, after the call of another thread; again, it does nothing."""
        with self._lock:
            self._end(AFTER_AN_ERROR_SECONDS if self._answers_due else PATIENCE_SECONDS)

    def _end(self, seconds: float) -> dict[int, str]:
        """End the processes; says how those failed that did, by their number from 0."""
        with self._lock:
            if self._closed:
                return {}
            self._closed = True
            return end(self._children, seconds)

    def translate(
        self,
        sentences: Iterable[str],
        beam_size: int = 5,
        length_penalty: float = 1.0,
        batch_sentences: int = 128,
    ) -> list[str]:
        """Translations in the order of the sentences, as of `Translator.translate`.

        Every process has its share of the long and of the short ones.
        """
        check_search(beam_size, length_penalty, batch_sentences)
        return self._shared("translate", texts_of(sentences), beam_size, length_penalty, batch_sentences)

    def n_best(
        self,
        sentences: Iterable[str],
        count: int,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        batch_sentences: int = 128,
    ) -> list[list[Translation]]:
        """The best translations of each sentence, as of `Translator.n_best`."""
        check_search(beam_size, length_penalty, batch_sentences)
        check_n_best(count, beam_size)
        return self._shared("n_best", texts_of(sentences), count, beam_size, length_penalty, batch_sentences)

    def _shared(self, method: str, texts: Sequence[str], *options: Any) -> list[Any]:
        """What a method of the translators gives for each text."""
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        shares = [order[place :: len(self._children)] for place in range(min(len(self._children), len(order)))]
        requests = [(method, ([texts[row] for row in rows], *options)) for rows in shares]
        translations: list[Any] = [None] * len(texts)
        for rows, found in zip(shares, self._answers(requests), strict=True):
            for row, translation in zip(rows, found, strict=True):
                translations[row] = translation
        return translations

    def _answers(self, requests: Sequence[Any]) -> list[Any]:
        """What the first processes answer, a request each. Raises the error that one answers, or Seq2SeqError."""
        with self._lock:
            if self._closed:
                raise Seq2SeqError("This pool is closed: its processes have ended. Make a new one.")
            if self._answers_due:
                raise Seq2SeqError(
                    "An earlier call of this pool was interrupted, and its processes are still at work on that: close "
                    "it, and make a new one."
                )
            asked = self._children[: len(requests)]
            self._answers_due = True
            try:
                for child, request in zip(asked, requests, strict=True):
                    child.connection.send(request)
                answers = [child.connection.recv() for child in asked]
            except (EOFError, ConnectionError) as error:  # a process has ended, or is about to
                raise self._lost() from error
            self._answers_due = False
            for answer in answers:
                if isinstance(answer, Seq2SeqError):  # its process has ended with that
                    self._end(AFTER_AN_ERROR_SECONDS)
                    raise answer
        return answers

    def _lost(self) -> Seq2SeqError:
        failures = self._end(PATIENCE_SECONDS) or {0: "ended."}
        place, failure = min(failures.items())
        return Seq2SeqError(
            f"Process {place + 1} of the {len(self._children)} of this translation {failure}\n"
            "If memory ran out: fewer processes need less of it."
        )
