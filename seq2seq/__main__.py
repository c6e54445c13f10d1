"""Use a trained model.

python -m seq2seq translate MODEL_DIR < in.txt > out.txt
python -m seq2seq score MODEL_DIR < pairs.tsv > scores.txt
python -m seq2seq export MODEL_DIR OUT_DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from seq2seq.config import Config, validate_config
from seq2seq.decoding.request import PRECISIONS, check_n_best
from seq2seq.decoding.translation import Translation
from seq2seq.errors import UserError
from seq2seq.guard import TRACEBACK, guarded, open_what_is_shut
from seq2seq.registry.sharing import PIPELINE, int8_cost, scored_with
from seq2seq.translator_pool import TranslatorPool

if TYPE_CHECKING:
    from seq2seq.translator import Translator

READ_BYTES = 1 << 18
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code.

    0, 2 for what the person can mend, 1 for other errors, 130 after Ctrl-C, 141 when nobody reads the output any more.
    """
    options = _parser().parse_args(arguments)
    TRACEBACK.set(options.traceback)
    return guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if options.command == "export":
        export(options)
    else:
        work = translate if options.command == "translate" else score
        work(options, cast(BufferedReader, sys.stdin.buffer), sys.stdout.buffer)


def translate(options: argparse.Namespace, source: BufferedReader, target: BinaryIO) -> None:
    """Translate the lines of `source` into `target` in order, one for one or into a table of the best of each.

    What one read gives is translated together: a file goes through in large batches, and whoever waits at the
    other end of a pipe has the answer before writing on.
    """
    config, loading = _prepared(options)
    decoding = config.evaluation
    if options.n_best is not None:
        check_n_best(options.n_best, decoding.beam_size)
    with _translator(config.runtime.processes, loading) as translator:
        if options.precision == "int8":
            print(*dict.fromkeys(map(int8_cost, loading[0])), sep="\n", file=sys.stderr)
        search, before = (decoding.beam_size, decoding.length_penalty, decoding.batch_sentences), 0
        for lines in stream_lines(source):
            if options.n_best is None:
                texts: Iterable[str] = translator.translate(lines, *search)
            else:
                texts = _table(translator.n_best(lines, options.n_best, *search), before)
            target.writelines(f"{text}\n".encode() for text in texts)
            target.flush()
            before += len(lines)


def score(options: argparse.Namespace, source: BufferedReader, target: BinaryIO) -> None:
    """Write a score for each pair of `source`, whose lines are a source text, a tab and a target text."""
    config, loading = _prepared(options)
    from seq2seq.translator import Translator

    translator, decoding, before = Translator.load(*loading), config.evaluation, 0
    for lines in stream_lines(source):
        for pairs in _pairs(lines, before):
            sides = [text for text, _ in pairs], [text for _, text in pairs]
            scores = translator.score(*sides, decoding.length_penalty, decoding.batch_sentences)
            target.writelines(f"{found:.4f}\n".encode() for found in scores)
            target.flush()
        before += len(lines)


def _pairs(lines: Sequence[str], before: int) -> Iterator[list[tuple[str, str]]]:
    """The lines as pairs, all at once; `before` is how many lines came before them."""
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(lines, before + 1):
        source, *targets = line.split("\t")
        if len(targets) != 1:
            yield pairs
            raise UserError(
                f"Line {number:,} of the input has {len(targets)} tabs: a pair is a source text, one tab and a target "
                "text, as `paste texts.de texts.en` writes it."
            )
        pairs.append((source, targets[0]))
    yield pairs


def _prepared(options: argparse.Namespace) -> tuple[Config, Any]:
    """The settings, and what a translator is loaded with, both checked before PyTorch, whose import takes seconds."""
    from seq2seq.export.reading import check_request_of_export
    from seq2seq.registry.champions import resolve_each
    from seq2seq.registry.model_folder import check_model, is_export

    if text := next((path for path in options.models[1:] if path.is_file()), None):
        raise UserError(
            f"{text} is a file, and not a further model. Text comes from standard input: python -m seq2seq "
            f"{options.command} {options.models[0]} < {text}"
        )
    folders = resolve_each(options.models)
    config = _config(options, folders[0])
    for folder in folders:
        if is_export(folder):
            check_request_of_export(folder, config.runtime, options.precision, options.to)
        else:
            check_model(folder)
    return config, (folders, config.runtime, options.precision, options.to)


@contextmanager
def _translator(processes: int, loading: Any) -> Iterator[Translator | TranslatorPool]:
    if processes > 1:
        with TranslatorPool(*loading) as pool:
            yield pool
    else:
        from seq2seq.translator import Translator

        yield Translator.load(*loading)


def _table(found: Iterable[Sequence[Translation]], before: int) -> Iterator[str]:
    """Number of the line, score and text, with tabs between, of each translation; `before` are the lines before."""
    for number, best in enumerate(found, before + 1):
        yield from (f"{number}\t{one.score:.4f}\t{one.text}" for one in best)


def export(options: argparse.Namespace) -> None:
    """Write a model for programs without PyTorch, and say how far it agrees with ours."""
    from seq2seq.export.folder import export_model
    from seq2seq.export.reading import INSTALL

    written = export_model(options.model, options.folder, options.to, options.int8)
    found = written.agreement
    print(f"{written.folder}: {written.bytes / 2**20:,.1f} MiB")
    if found is None:
        print(f"not compared with the model, because onnxruntime is not installed: {INSTALL}")
    else:
        print(
            f"compared with the model in onnxruntime on {found.sentences} random sources: {found.equal_tokens:,} of "
            f"{found.tokens:,} tokens are equal; logits (up to {found.largest_logit:.1f}) differ by "
            f"{found.largest_difference:.1e} at most"
        )


def stream_lines(source: BufferedReader) -> Iterator[list[str]]:
    """Complete lines as they come, those of one read together.

    A byte order mark and the carriage returns of Windows are no part of a line. Raises UserError for a line that is
    not UTF-8, after the lines before it.
    """
    number, rest = 0, b""
    while data := source.read1(READ_BYTES):
        *complete, rest = (rest + data).split(b"\n")
        yield from _decode(complete, number)
        number += len(complete)
    yield from _decode([rest] if rest else [], number)


def _decode(lines: Sequence[bytes], before: int) -> Iterator[list[str]]:
    """The lines as text, all at once; `before` is how many lines came before them."""
    texts: list[str] = []
    for number, line in enumerate(lines, before + 1):
        try:
            text = line.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            yield texts
            raise UserError(
                f"Line {number:,} of the input is not UTF-8: byte {line[error.start]:#04x} at position "
                f"{error.start + 1:,}. Convert the input first, for example with iconv -t UTF-8."
            ) from None
        texts.append(text.removeprefix("\ufeff") if number == 1 else text)
    yield texts


def _config(options: argparse.Namespace, folder: Path) -> Config:
    """What was asked for; where nothing was, a model's scores tell how it is decoded."""
    given = {
        "evaluation": ("beam_size", "length_penalty", "batch_sentences"),
        "runtime": ("threads", "processes", "device"),
    }
    sections = {
        section: {name: getattr(options, name) for name in names if getattr(options, name, None) is not None}
        for section, names in given.items()
    }
    scored = {name: value for name, value in scored_with(folder).items() if name in ("beam_size", "length_penalty")}
    validate_config({"evaluation": scored}, str(folder / PIPELINE))
    sections["evaluation"] = scored | sections["evaluation"]
    return validate_config(sections, "command line")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m seq2seq", description="Use a trained translation model.")
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (_add_translate, _add_score, _add_export):
        add(commands)
    return parser


def _add_translate(commands: Subparsers) -> None:
    command = commands.add_parser(
        "translate",
        help="translate lines of standard input",
        description="Translate UTF-8 text from standard input to standard output: one line out for each line in.",
    )
    _add_decoding_arguments(command)
    command.add_argument(
        "--beam-size",
        type=int,
        metavar="N",
        help="hypotheses kept per sentence; 1 is greedy (default: as in its evaluation)",
    )
    command.add_argument(
        "--n-best",
        type=int,
        metavar="N",
        help="the N best translations of each line, N up to the beam size: number of the line, score "
        "(length-normalized log-probability) and text, with tabs between",
    )
    command.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="share the lines among N processes, which take seconds to start: for large files, one per core",
    )


def _add_score(commands: Subparsers) -> None:
    command = commands.add_parser(
        "score",
        help="say how likely a model finds translations that are given",
        description="Read pairs from standard input, a source text, a tab and a target text per line, and write a "
        "score for each: length-normalized log-probability, as of `translate --n-best`.",
    )
    _add_decoding_arguments(command)


def _add_export(commands: Subparsers) -> None:
    command = commands.add_parser(
        "export",
        help="write a model as ONNX: to translate with, and for programs without PyTorch",
        description="Write a model as ONNX graphs, with tokenizers and an example program, and compare it with ours.",
    )
    command.add_argument(
        "model",
        metavar="MODEL_DIR",
        type=Path,
        help="a model folder, or a language pair's (models/ko-en): its champion",
    )
    _add_common_arguments(command)
    command.add_argument("--int8", action="store_true", help="int8 weights: smaller and faster, less exact")
    command.add_argument("folder", metavar="OUT_DIR", type=Path, help="a folder that is not there yet, or is empty")


def _add_decoding_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "models",
        metavar="MODEL_DIR",
        type=Path,
        nargs="+",
        help="the folder of a model or of an export, or a language pair's (models/ko-en): its champion. Several with "
        "the same vocabularies form an ensemble: slower, and better than each",
    )
    _add_common_arguments(command)
    command.add_argument(
        "--length-penalty", type=float, help="exponent of the length in a score (default: as in its evaluation)"
    )
    command.add_argument("--batch-sentences", type=int, metavar="N", help="sentences decoded together (default: 128)")
    command.add_argument("--threads", type=int, metavar="N", help="cores to work on (default: all)")
    command.add_argument("--device", help="auto, cpu or cuda (default: auto)")
    command.add_argument("--precision", choices=PRECISIONS, default="fp32", help="arithmetic (default: fp32)")
    command.add_argument(
        "--int8",
        dest="precision",
        action="store_const",
        const="int8",
        help="matrix products in 8-bit integers: faster on a CPU; `translate` says what it costs in BLEU",
    )


def _add_common_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", metavar="LANGUAGE", default="", help="target language, for a model of both directions")
    command.add_argument("--traceback", action="store_true", help="show where in the code an error came from")


if __name__ == "__main__":
    open_what_is_shut()
    sys.exit(main())
