"""Translation speed of a trained model: greedy and beam 5, precisions, batch sizes, one sentence at a time, two cores.

    python -m benchmarks.own_decoding MODEL_DIR SOURCE REFERENCE [--rounds 5] [--sentences 1000]
        [--only int8,export-int8]

The exports (`seq2seq.export`) are made first, and run by onnxruntime.

All variants take turns on the same sentences, each once per round: what else the machine does meets them alike. The
first round is not counted. One thread but for the last table. Speeds are of wall time and include tokenization.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import torch
from cyclopts import run

from benchmarks.timing import markdown_table
from seq2seq.device import DECODING_KERNELS, configure
from seq2seq.export.folder import export_model
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.training.validation import validation_bleu
from seq2seq.translator import Translator
from seq2seq.translator_pool import TranslatorPool

WAYS = ("fp32", "bf16", "int8", "export", "export-int8")
BEAMS = (1, 5)
BATCHES = (32, 64, 128, 256)
LATENCY_SENTENCES = 100


@dataclass
class Variant:
    """A way to translate, and what came of it."""

    name: tuple[object, ...]
    translate: Callable[[Sequence[str]], list[str]]
    seconds: list[float] = field(default_factory=list)
    translations: list[str] = field(default_factory=list)

    def run(self, sources: Sequence[str]) -> None:
        """Translate once, and take the time."""
        started = time.perf_counter()
        self.translations = self.translate(sources)
        self.seconds.append(time.perf_counter() - started)

    def speed(self, sentences: int) -> str:
        """Sentences a second: median (slowest to fastest) of all rounds but the first."""
        speeds = sorted(sentences / seconds for seconds in self.seconds[1:])
        return f"{median(speeds):.0f} ({speeds[0]:.0f} to {speeds[-1]:.0f})"


def measure(
    model: Path, source: Path, reference: Path, *, rounds: int = 5, sentences: int = 1000, only: str = ",".join(WAYS)
) -> None:
    """Print the tables; `only` names the ways to translate, separated by commas."""
    sources, references = (path.read_text(encoding="utf-8").splitlines()[:sentences] for path in (source, reference))
    one_thread = RuntimeSettings(threads=1, device="cpu")
    configure(one_thread, kernels=DECODING_KERNELS)  # before the exports: oneDNN asks once how many kernels to keep
    with tempfile.TemporaryDirectory() as exports:
        loading = {way: _loading(way, model, Path(exports)) for way in only.split(",")}
        translators = {way: Translator.load(folder, one_thread, given) for way, (folder, given) in loading.items()}
        print(_speeds(translators, sources, references, rounds), end="\n\n")
        print(_latencies(translators, sources[:LATENCY_SENTENCES]), end="\n\n")
        print(_cores(loading, sources, rounds))


def _loading(way: str, model: Path, exports: Path) -> tuple[Path, str]:
    """Folder and precision, as `Translator.load` takes them."""
    if way not in WAYS:
        raise SystemExit(f"There is no way {way!r}. There are: {', '.join(WAYS)}.")
    if not way.startswith("export"):
        return model, way
    return export_model(model, exports / way, int8=way == "export-int8").folder, "fp32"


def _speeds(translators: dict[str, Translator], sources: Sequence[str], references: Sequence[str], rounds: int) -> str:
    variants = [
        Variant((beam, precision, batch), _how(translators[precision], beam, batch))
        for beam in BEAMS
        for precision in translators
        for batch in BATCHES
    ]
    _in_turn(variants, sources, rounds)
    rows = [
        (*each.name, each.speed(len(sources)), f"{validation_bleu(each.translations, references):.2f}")
        for each in variants
    ]
    return markdown_table(("beam", "arithmetic", "batch", "sentences/s", "BLEU"), rows)


def _latencies(translators: dict[str, Translator], sources: Sequence[str]) -> str:
    rows = []
    for beam in BEAMS:
        for precision, translator in translators.items():
            times = [_milliseconds(translator, text, beam) for text in (*sources[:3], *sources)][3:]
            rows.append((beam, precision, f"{median(times):.1f}", f"{quantiles(times, n=20)[-1]:.1f}"))
    return markdown_table(("beam", "arithmetic", "ms for one sentence, median", "95th percentile"), rows)


def _milliseconds(translator: Translator, text: str, beam: int) -> float:
    started = time.perf_counter()
    translator.translate([text], beam)
    return 1000 * (time.perf_counter() - started)


def _cores(loading: Mapping[str, tuple[Path, str]], sources: Sequence[str], rounds: int) -> str:
    rows = []
    for beam in BEAMS:
        for way, (folder, precision) in loading.items():
            one_thread, two_threads = (
                Translator.load(folder, RuntimeSettings(threads=threads, device="cpu"), precision) for threads in (1, 2)
            )
            shared = RuntimeSettings(threads=2, processes=2, device="cpu")
            with TranslatorPool(folder, shared, precision) as pool:
                variants = [
                    Variant(("one thread",), _how(one_thread, beam, threads=1)),
                    Variant(("two threads",), _how(two_threads, beam, threads=2)),
                    Variant(("two processes",), partial(pool.translate, beam_size=beam)),
                ]
                _in_turn(variants, sources, rounds)
            one, *others = variants
            for each in others:
                pairs = zip(one.seconds[1:], each.seconds[1:], strict=True)
                ratio = median(before / after for before, after in pairs)
                speeds = (one.speed(len(sources)), each.speed(len(sources)))
                rows.append((beam, way, *each.name, *speeds, f"{ratio:.2f}"))
    return markdown_table(("beam", "arithmetic", "two cores", "one core, sentences/s", "two", "ratio"), rows)


def _how(translator: Translator, beam: int, batch: int = 128, threads: int = 1) -> Callable[[Sequence[str]], list[str]]:
    def translate(sources: Sequence[str]) -> list[str]:
        torch.set_num_threads(threads)
        return translator.translate(sources, beam, batch_sentences=batch)

    return translate


def _in_turn(variants: Sequence[Variant], sources: Sequence[str], rounds: int) -> None:
    for _ in range(rounds + 1):
        for variant in variants:
            variant.run(sources)


if __name__ == "__main__":
    run(measure)
