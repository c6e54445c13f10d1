"""A trained model as a folder that can be copied, shared and checked.

    model.safetensors        weights in float32; tensors that the network shares (tied embeddings) once
    config.json              format, kind, settings, languages, vocabulary sizes; bytes and SHA-256 of the other files
    source_tokenizer.json    text to ids of the encoder
    target_tokenizer.json    ids of the decoder to text

Equal weights give equal bytes. Nothing in the folder can run code. Reading and checking it needs no PyTorch;
only `write_model` and `load_model` import it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from seq2seq.errors import ModelError
from seq2seq.settings.model import ModelSettings
from seq2seq.storage.artifacts import FileEntry, file_sha256

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor, device, nn

    from seq2seq.models.seq2seq import Seq2Seq

FORMAT = 2
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
SOURCE_TOKENIZER = "source_tokenizer.json"
TARGET_TOKENIZER = "target_tokenizer.json"
DESCRIBED = (WEIGHTS, SOURCE_TOKENIZER, TARGET_TOKENIZER)
EXPORT_KIND = "seq2seq-onnx"
"""What config.json says instead in a folder that `seq2seq.export` has written, which only translates."""
REMEDY = "Copy the folder again from where it was made, or train the model again."


class FolderConfig(BaseModel):
    """What config.json says."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    format: int = FORMAT
    kind: Literal["seq2seq", "seq2seq-onnx"] = "seq2seq"
    source_language: str
    target_language: str
    source_vocabulary_size: int
    target_vocabulary_size: int
    model: ModelSettings
    files: dict[str, FileEntry]


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to translate: on its device, in evaluation mode."""

    model: Seq2Seq[Any, Any]
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    config: FolderConfig

    @property
    def both_directions(self) -> bool:
        """Whether the model also translates from its target into its source language (see `subwords.language_tags`)."""
        from seq2seq.subwords.language_tags import tag_into

        return tag_into(self.source_tokenizer, self.config.source_language) is not None

    def into(self, language: str) -> LoadedModel:
        """The model as it translates into this language. Raises ModelError for one that it does not know."""
        source, target = self.config.source_language, self.config.target_language
        if language == target:
            return self
        if language != source or not self.both_directions:
            known = f"{source} to {target} and back" if self.both_directions else f"{source} to {target} only"
            raise ModelError(
                f"The model translates {known}, not into {language}. A model for both directions is trained with "
                "vocabulary.joint=true and vocabulary.language_tags=true."
            )
        from seq2seq.subwords.language_tags import with_tag

        turned = self.config.model_copy(update={"source_language": target, "target_language": source})
        return replace(self, source_tokenizer=with_tag(self.source_tokenizer, language), config=turned)


def write_model(
    folder: Path,
    model: nn.Module,
    settings: ModelSettings,
    source_language: str,
    target_language: str,
    vocabulary: Path,
) -> FolderConfig:
    """Write a model folder; `vocabulary` is the folder that holds the two tokenizers. config.json comes last."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    for name in (SOURCE_TOKENIZER, TARGET_TOKENIZER):
        shutil.copyfile(vocabulary / name, folder / name)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in distinct_tensors(model).items()}
    save_file(tensors, folder / WEIGHTS)
    config = FolderConfig(
        source_language=source_language,
        target_language=target_language,
        source_vocabulary_size=read_tokenizer(folder / SOURCE_TOKENIZER).get_vocab_size(),
        target_vocabulary_size=read_tokenizer(folder / TARGET_TOKENIZER).get_vocab_size(),
        model=settings,
        files={name: _describe(folder / name) for name in DESCRIBED},
    )
    text = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    return config


def distinct_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model's state by name; one that has several names (tied weights) under its first only.

    `safetensors.torch.save_model` would do this too, but it lists the other names in the file's header in an
    order that changes from run to run.
    """
    by_identity: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        by_identity.setdefault(id(tensor), (name, tensor))
    return dict(by_identity.values())


def check_model(folder: Path) -> FolderConfig:
    """Read config.json and compare every file with it. Raises ModelError; imports no PyTorch."""
    config = _read_config(folder)
    for name in DESCRIBED:
        if name not in config.files:
            raise ModelError(f"{folder / CONFIG} does not describe {name}. {REMEDY}")
        check_file(folder / name, config.files[name])
    return config


def load_model(folder: Path, device: device | str = "cpu") -> LoadedModel:
    """Check a model folder and load it. Raises ModelError before anything is read from a damaged file."""
    config = check_model(folder)
    from seq2seq.models.build import build_model

    model = build_model(config.model, config.source_vocabulary_size, config.target_vocabulary_size)
    load_weights(model, folder / WEIGHTS)
    return LoadedModel(model.to(device).eval(), *tokenizers_of(folder, config), config)


def tokenizers_of(folder: Path, config: FolderConfig) -> tuple[Tokenizer, Tokenizer]:
    """The source's and the target's. Raises ModelError."""
    source_tokenizer = read_tokenizer(folder / SOURCE_TOKENIZER, config.source_vocabulary_size)
    source_tokenizer.encode_special_tokens = True  # "</s>" in a text is text
    return source_tokenizer, read_tokenizer(folder / TARGET_TOKENIZER, config.target_vocabulary_size)


def _describe(path: Path) -> FileEntry:
    return FileEntry(bytes=path.stat().st_size, sha256=file_sha256(path))


def is_export(folder: Path) -> bool:
    """Whether a folder is one that `seq2seq.export` has written. Raises ModelError when it is none of ours at all."""
    return _read_json(folder).get("kind") == EXPORT_KIND


def _read_config(folder: Path) -> FolderConfig:
    values = _read_json(folder)
    if values.get("kind") == EXPORT_KIND:
        raise ModelError(
            f"{folder} is an export, which can be translated with and nothing else. Name the model folder that it was "
            "made from."
        )
    check_format(folder, values, FORMAT)
    return described(folder, values)


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if folder.is_file():
        raise ModelError(f"{folder} is a file, and a model is a folder that holds {CONFIG} and {WEIGHTS}.")
    if not folder.is_dir():
        raise ModelError(f"There is no model folder {folder}. Give the folder that holds {CONFIG} and {WEIGHTS}.")
    if not path.is_file():
        raise ModelError(f"{folder} is not a model folder: it has no {CONFIG}. {REMEDY}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}. {REMEDY}") from None
    if not isinstance(values, dict) or "format" not in values:
        raise ModelError(f"{path} was not written by seq2seq-flows: it names no format. Only its own models load.")
    return values


def described(folder: Path, values: dict[str, Any], remedy: str = REMEDY) -> FolderConfig:
    """What config.json says, checked field by field. Raises ModelError."""
    path = folder / CONFIG
    try:
        return FolderConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        count = error.error_count()
        raise ModelError(f"{path} has {count} wrong value(s), the first at {place}: {first['msg']}. {remedy}") from None


def check_format(folder: Path, values: dict[str, Any], known: int, otherwise: str = "train") -> None:
    """Raise ModelError for a folder of another format."""
    if values["format"] != known:
        raise ModelError(
            f"{folder / CONFIG} has format {values['format']!r}, and this version reads format {known}. "
            f"Install the version of seq2seq-flows that wrote it, or {otherwise} the model again."
        )


def check_file(path: Path, entry: FileEntry, remedy: str = REMEDY) -> None:
    """Raise ModelError unless a file is there and is what config.json says of it."""
    if not path.is_file():
        raise ModelError(f"{path} is missing: {CONFIG} says that it has {entry.bytes:,} bytes. {remedy}")
    size = path.stat().st_size
    if size != entry.bytes:
        state = "truncated" if size < entry.bytes else "not the file that was published"
        raise ModelError(f"{path} is {state}: it has {size:,} bytes, and should have {entry.bytes:,}. {remedy}")
    found = file_sha256(path)
    if found != entry.sha256:
        raise ModelError(
            f"{path} was altered: its {size:,} bytes have SHA-256 {found[:12]}…, and should have "
            f"{entry.sha256[:12]}…. {remedy}"
        )


def load_weights(model: nn.Module, path: Path) -> None:
    """Copy the stored tensors into the model. Raises ModelError unless names and shapes are exactly the model's."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from torch import no_grad

    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path} is not a safetensors file: {error}. {REMEDY}") from None
    wanted = distinct_tensors(model)
    odd = [
        f"{name} (stored {_shape(stored.get(name))}, expected {_shape(wanted.get(name))})"
        for name in sorted(stored.keys() | wanted.keys())
        if _shape(stored.get(name)) != _shape(wanted.get(name))
    ]
    if odd:
        raise ModelError(
            f"{path} does not fit the settings in {CONFIG}: {len(odd)} of {len(wanted)} tensors differ, "
            f"the first is {odd[0]}. {REMEDY}"
        )
    with no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(stored[name])


def _shape(tensor: Tensor | None) -> str:
    return "nothing" if tensor is None else f"{'×'.join(map(str, tensor.shape))} {tensor.dtype}"


def read_tokenizer(path: Path, size: int | None = None) -> Tokenizer:
    """A tokenizer of so many tokens. Raises ModelError."""
    from tokenizers import Tokenizer

    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise ModelError(f"{path} is not a tokenizer: {error}. {REMEDY}") from None
    if size is not None and tokenizer.get_vocab_size() != size:
        raise ModelError(f"{path} has {tokenizer.get_vocab_size():,} tokens, and {CONFIG} says {size:,}. {REMEDY}")
    return tokenizer
