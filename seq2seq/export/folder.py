"""The folder that other programs read.

    encoder.onnx             a batch of source sentences to what the decoder reads
    decoder.onnx             one step: a token and a state to logits and the next state
    source_tokenizer.json    text to ids, for the `tokenizers` library (Rust, Python, Node)
    target_tokenizer.json    ids to text
    config.json              languages, special ids, what the two graphs take and give, bytes and SHA-256 of the files
    translate.py             a complete program with onnxruntime, tokenizers and numpy
    README.md                the same in words
    pipeline.json            the configuration that made the model, if its folder has one

Equal weights give equal bytes, but for what pipeline.json says of their making.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.errors import UserError
from seq2seq.export.reading import FORMAT, GRAPHS, INSTALL
from seq2seq.registry.champions import resolve
from seq2seq.registry.model_folder import (
    EXPORT_KIND,
    SOURCE_TOKENIZER,
    TARGET_TOKENIZER,
    LoadedModel,
    check_model,
    load_model,
)
from seq2seq.registry.sharing import PIPELINE
from seq2seq.storage.artifacts import FileEntry, file_sha256
from seq2seq.storage.disk import writing
from seq2seq.subwords.language_tags import language_tag
from seq2seq.subwords.special_tokens import BOS, EOS, PAD, UNK

if TYPE_CHECKING:
    import onnx_ir

    from seq2seq.export.agreement import Agreement

PROGRAM = "translate.py"
NEEDED = ("onnx", "onnxscript")


@dataclass(frozen=True)
class Export:
    """What was written."""

    folder: Path
    bytes: int
    agreement: Agreement | None
    """None where onnxruntime is not installed."""


def export_model(model_folder: Path, folder: Path, target_language: str = "", int8: bool = False) -> Export:
    """Write `folder`, whole or not at all, and compare it with the model.

    `target_language` may be either language of a model for both directions; if empty, it is the model's own.
    With `int8` the graphs are quantized once they are found equal (see `seq2seq.export.quantization`).

    Raises ModelError for a model folder that is not in order, UserError without the packages of the extra `onnx` and
    for a folder that is not empty or that is the current one, and ExportDiffers.
    """
    model_folder = resolve(model_folder)
    check_model(model_folder)
    _require_packages((*NEEDED, "onnxruntime") if int8 else NEEDED)
    _require_empty(folder)
    loaded = load_model(model_folder)
    loaded = loaded.into(target_language or loaded.config.target_language)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with writing("An export", folder.parent):
            partial.mkdir(parents=True)
            _write(partial, loaded)
            if (model_folder / PIPELINE).is_file():
                shutil.copyfile(model_folder / PIPELINE, partial / PIPELINE)
            agreement = _check(partial, loaded, int8) if find_spec("onnxruntime") else None
            partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Export(folder, sum(path.stat().st_size for path in folder.iterdir()), agreement)


def _require_packages(needed: Iterable[str]) -> None:
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise UserError(
            f"An export needs {' and '.join(missing)}, which this environment does not have. Install the extra onnx: "
            f'{INSTALL} (in a checkout: python -m pip install -c constraints.txt -e ".[onnx]").'
        )


def _require_empty(folder: Path) -> None:
    if folder.is_dir() and folder.samefile(Path.cwd()):
        raise UserError(f"{folder} is the folder that you are in, which an export would replace. Name one inside it.")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: an export is a folder of its own. Name another, or remove it first.")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: an export is a folder of its own. Name another.")


def _write(folder: Path, loaded: LoadedModel) -> None:
    import onnx_ir

    from seq2seq.export.graphs import export_graphs

    for name, graph in zip(GRAPHS, export_graphs(loaded.model), strict=True):
        onnx_ir.save(graph, folder / f"{name}.onnx")
    loaded.source_tokenizer.save(str(folder / SOURCE_TOKENIZER))
    loaded.target_tokenizer.save(str(folder / TARGET_TOKENIZER))
    shutil.copyfile(Path(__file__).with_name(PROGRAM), folder / PROGRAM)
    _describe(folder, loaded, "float32")


def _describe(folder: Path, loaded: LoadedModel, weights: str) -> None:
    from seq2seq.export.readme import readme

    config = _config(folder, loaded, weights)
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(readme(config), encoding="utf-8")


def _check(folder: Path, loaded: LoadedModel, int8: bool) -> Agreement:
    from seq2seq.export.agreement import compare, require_equal  # imports onnxruntime

    agreement = require_equal(folder, loaded)
    if not int8:
        return agreement
    from seq2seq.export.quantization import quantize_graphs

    quantize_graphs(folder)
    _describe(folder, loaded, "int8")
    return compare(folder, loaded)


def _config(folder: Path, loaded: LoadedModel, weights: str) -> dict[str, Any]:
    from seq2seq.decoding.steps import NEVER_WRITTEN, longest_translation

    described = loaded.config.model_dump(mode="json", exclude={"format", "kind", "files"})
    tag = language_tag(loaded.config.target_language)
    tag_id = loaded.source_tokenizer.token_to_id(tag)
    return {
        "format": FORMAT,
        "kind": EXPORT_KIND,
        **described,
        "weights": weights,
        "special_tokens": {"pad": PAD, "unk": UNK, "bos": BOS, "eos": EOS},
        "never_written": list(NEVER_WRITTEN),
        "longest_translation": {
            "per_source_token": longest_translation(1) - longest_translation(0),
            "more": longest_translation(0),
        },
        "language_tag": None if tag_id is None else {"token": tag, "id": tag_id},
        "graphs": {name: _interface(folder / f"{name}.onnx") for name in GRAPHS},
        "files": {
            name: FileEntry(bytes=(folder / name).stat().st_size, sha256=file_sha256(folder / name)).model_dump()
            for name in (*(f"{name}.onnx" for name in GRAPHS), SOURCE_TOKENIZER, TARGET_TOKENIZER, PROGRAM)
        },
    }


def _interface(path: Path) -> dict[str, list[dict[str, Any]]]:
    import onnx_ir

    graph = onnx_ir.load(path).graph
    return {"inputs": _tensors(graph.inputs), "outputs": _tensors(graph.outputs)}


def _tensors(values: Iterable[onnx_ir.Value]) -> list[dict[str, Any]]:
    return [
        {
            "name": value.name,
            "dtype": str(value.dtype.numpy()),
            "shape": [size if isinstance(size, int) else size.value for size in value.shape],
        }
        for value in values
        if value.dtype is not None and value.shape is not None
    ]
