"""An exported folder, checked before it is used. Imports neither PyTorch nor onnxruntime."""

import json
from importlib.util import find_spec
from pathlib import Path

from seq2seq.errors import ConfigError, ModelError, UserError
from seq2seq.registry.model_folder import (
    CONFIG,
    SOURCE_TOKENIZER,
    TARGET_TOKENIZER,
    FolderConfig,
    check_file,
    check_format,
    described,
)
from seq2seq.settings.runtime import RuntimeSettings

FORMAT = 1
GRAPHS = ("encoder", "decoder")
READ = (*(f"{name}.onnx" for name in GRAPHS), SOURCE_TOKENIZER, TARGET_TOKENIZER)
REMEDY = "Copy the folder again from where it was made, or export the model again."
INSTALL = "python -m pip install onnx onnxruntime onnxscript"


def check_export(folder: Path) -> FolderConfig:
    """Read config.json and compare every file that is needed with it. Raises ModelError."""
    values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    check_format(folder, values, FORMAT, "export")
    known = FolderConfig.model_fields
    config = described(folder, {name: value for name, value in values.items() if name in known}, REMEDY)
    for name in READ:
        if name not in config.files:
            raise ModelError(f"{folder / CONFIG} does not describe {name}. {REMEDY}")
        check_file(folder / name, config.files[name], REMEDY)
    return config


def check_request_of_export(
    folder: Path, runtime: RuntimeSettings, precision: str, target_language: str
) -> FolderConfig:
    """`check_export`, and whether the export can do what is asked for: what it computes in, and into, is settled.

    Raises ConfigError for another device, precision or language, and UserError where onnxruntime is not installed.
    """
    config = check_export(folder)
    if runtime.device == "cuda":
        raise ConfigError(f"{folder} is an export, which runs on the CPU: set the device to auto or cpu.")
    if precision != "fp32":
        raise ConfigError(
            f"{folder} is an export, whose arithmetic was settled when it was made: leave {precision} out, or export "
            "the model anew, with --int8 or without."
        )
    if target_language not in ("", config.target_language):
        raise ConfigError(
            f"{folder} translates {config.source_language} to {config.target_language} alone, not into "
            f"{target_language}. A model of both directions is exported once for each of them, with --to."
        )
    if find_spec("onnxruntime") is None:
        raise UserError(
            f"{folder} is an export, and needs onnxruntime to run, which this environment does not have: "
            "python -m pip install onnxruntime."
        )
    return config
