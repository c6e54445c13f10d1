"""What a translator works with: networks ready for single steps, and the tokenizers of both sides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from seq2seq.decoding.ensemble import Ensemble
from seq2seq.decoding.quantization import quantized
from seq2seq.device import DECODING_KERNELS, configure, product_type
from seq2seq.errors import ModelError
from seq2seq.export.reading import check_request_of_export
from seq2seq.models.linear import packed
from seq2seq.models.memory import StepModel
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.registry.model_folder import FolderConfig, LoadedModel, is_export, load_model, tokenizers_of
from seq2seq.settings.runtime import RuntimeSettings


@dataclass(frozen=True)
class Engine:
    """What a translator works with."""

    model: StepModel[Any, Any]
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    config: FolderConfig
    device: torch.device
    precision: str
    """Of the operations that the model leaves to its surroundings: auto, bf16 or fp32."""


def load_engine(folders: Sequence[Path], runtime: RuntimeSettings, precision: str, target_language: str) -> Engine:
    """One engine of all folders. Options and errors are those of `Translator.load`."""
    if runtime.device == "auto" and (precision == "int8" or any(map(is_export, folders))):
        runtime = runtime.model_copy(update={"device": "cpu"})  # for all: they decode as one
    return _together(folders, [_of_folder(each, runtime, precision, target_language) for each in folders])


def engine_of_model(loaded: LoadedModel, precision: str) -> Engine:
    """One engine of a model that is loaded, on the device where its weights are."""
    device = next(loaded.model.parameters()).device
    model = _for_decoding(loaded.model, precision, device)
    parts = loaded.source_tokenizer, loaded.target_tokenizer, loaded.config
    return Engine(model, *parts, device, "auto" if precision == "int8" else precision)


def _together(folders: Sequence[Path], engines: Sequence[Engine]) -> Engine:
    """One engine of all. Raises ModelError unless all read and write the same tokens of the same languages."""
    first, *others = engines
    for folder, other in zip(folders[1:], others, strict=True):
        for what in ("source", "target"):
            ours, theirs = (
                (getattr(each.config, f"{what}_language"), getattr(each, f"{what}_tokenizer").to_str())
                for each in (first, other)
            )
            if ours != theirs:
                raise ModelError(
                    f"{folders[0]} and {folder} cannot translate together: they differ in the {what} language or "
                    "vocabulary. Train both on one corpus, with the same settings for its text and another "
                    "training.seed."
                )
    return replace(first, model=Ensemble([engine.model for engine in engines])) if others else first


def _of_folder(folder: Path, runtime: RuntimeSettings, precision: str, target_language: str) -> Engine:
    if is_export(folder):
        return _of_export(folder, runtime, precision, target_language)
    loaded = load_model(folder, configure(runtime, kernels=DECODING_KERNELS))
    return engine_of_model(loaded.into(target_language or loaded.config.target_language), precision)


def _of_export(folder: Path, runtime: RuntimeSettings, precision: str, target_language: str) -> Engine:
    config = check_request_of_export(folder, runtime, precision, target_language)
    from seq2seq.export.running import ExportedModel  # imports onnxruntime

    configure(runtime, kernels=DECODING_KERNELS)
    tokenizers = tokenizers_of(folder, config)
    return Engine(ExportedModel(folder), *tokenizers, config, torch.device("cpu"), "fp32")


def _for_decoding(model: Seq2Seq[Any, Any], precision: str, device: torch.device) -> StepModel[Any, Any]:
    """The model with its matrices laid out for single steps in `precision`."""
    if precision == "int8":
        return quantized(model)
    return model.for_decoding(packed(product_type(precision, device))) if device.type == "cpu" else model
