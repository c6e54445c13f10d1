"""The steps as data: what each one does, reads and depends on, and the key that says so.

A key is the digest of everything that shapes a step's result: the code that does the work, the settings it
reads, the content of its inputs, the versions of the libraries behind it. Equal keys mean equal results.
"""

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.settings.section import Section
from seq2seq.storage.artifacts import RECORD_FORMAT, Record, Workspace, digest_of
from seq2seq.storage.code_digests import code_digests


@dataclass(frozen=True)
class Job:
    """What a step gets beside its settings and inputs."""

    into: Path
    """Empty folder that becomes the artifact; files in its `log/` are kept beside the content."""
    checkpoints: Path
    """Folder that survives an interruption; the next run with the same key finds it again."""
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)
    notify: Callable[[Any], None] = lambda event: None
    """Receives progress events; a step says how it is going only through it."""
    should_stop: Callable[[], bool] = lambda: False
    """True once someone asked for an orderly end; a training then saves a checkpoint and raises."""
    downloads: Path | None = None
    """Folder of what came from the network, for all keys; None: it goes with the checkpoints."""
    source: Mapping[str, Any] | None = None
    """Identity of what the step takes from outside the workspace, as its key has it; None: nothing, or not known."""


@dataclass(frozen=True)
class Step:
    """One step: `work(*sections, *inputs, job) -> statistics`, all of it looked up by name."""

    name: str
    work: str
    sections: tuple[str, ...]
    inputs: Mapping[str, tuple[str, ...]]
    """Steps whose results this one reads, with the parts it reads of each (none named: all)."""
    libraries: tuple[str, ...]
    """Distributions whose version can change the result."""

    def load(self) -> Callable[..., Mapping[str, Any]]:
        """Import the work; the heavy libraries come with it."""
        module, _, function = self.work.partition(":")
        work: Callable[..., Mapping[str, Any]] = getattr(importlib.import_module(module), function)
        return work


STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step("fetch", "seq2seq.corpora.fetching:fetch", ("corpus",), {}, ("pyarrow",)),
        Step(
            "clean",
            "seq2seq.corpora.cleaning:clean",
            ("cleaning",),
            {"fetch": ("train", "valid", "test")},
            ("pandas", "pyarrow"),
        ),
        Step(
            "tokenize",
            "seq2seq.subwords.tokenization:tokenize",
            ("tokenization",),
            {"clean": ("train", "valid")},
            ("tokenizers", "pyarrow"),
        ),
        Step(
            "vocabulary",
            "seq2seq.subwords.vocabulary:learn",
            ("vocabulary",),
            {"tokenize": ("rules", "train")},
            ("tokenizers",),
        ),
        Step(
            "encode",
            "seq2seq.subwords.encoding:encode",
            (),
            {"tokenize": ("train", "valid"), "vocabulary": ()},
            ("tokenizers", "pyarrow"),
        ),
        Step(
            "train",
            "seq2seq.training.loop:train",
            ("model", "training"),
            {"encode": ("train", "valid"), "vocabulary": (), "clean": ("valid",)},
            ("torch", "numpy", "sacrebleu", "tokenizers"),
        ),
        Step(
            "evaluate",
            "seq2seq.evaluation:evaluate",
            ("evaluation",),
            {"train": (), "clean": ("test",)},
            ("torch", "numpy", "sacrebleu", "tokenizers"),
        ),
    )
}

INHERITED = replace(
    STEPS["vocabulary"],
    work="seq2seq.subwords.vocabulary:inherit",
    sections=(),
    inputs={"tokenize": ("train",), "parent": ("source_tokenizer", "target_tokenizer")},
)
"""`vocabulary` where a training goes on from a model folder: the parent's."""

CONTINUED = replace(
    STEPS["train"],
    work="seq2seq.training.warm_start:train",
    inputs={**STEPS["train"].inputs, "parent": ("config", "model", "source_tokenizer", "target_tokenizer")},
)
"""`train` from the weights of a model folder, which the record then names among its inputs."""


ON_VALID = replace(STEPS["evaluate"], inputs={"train": (), "clean": ("valid",)})
"""`evaluate` on the validation split."""


def code_of(*steps: Step) -> dict[str, str]:
    """Digest of each module that does the work of these steps, as its file is now."""
    return code_digests(*(step.work.partition(":")[0] for step in steps))


def ingredients(
    step: Step,
    sections: Mapping[str, Section],
    inputs: Mapping[str, Record],
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that the step's key is made of, as JSON values.

    `source` is the identity of an outside corpus (see `seq2seq.corpora.fetching.identity`): it takes the
    place of the settings of `fetch`, since a corpus is its content, not the place where it lies.
    """
    settings = {name: sections[name].key_content() for name in step.sections}
    return {
        "format": RECORD_FORMAT,
        "step": step.name,
        "code": code_of(step),
        "settings": settings if source is None else {"source": dict(source)},
        "inputs": {name: inputs[name].parts(parts) for name, parts in step.inputs.items()},
        "libraries": {name: version(name).partition("+")[0] for name in step.libraries},  # +cpu says for which device
    }


def perform(
    step: Step,
    sections: Mapping[str, Section],
    inputs: Mapping[str, Record],
    workspace: Workspace,
    provenance: Mapping[str, Any],
    runtime: RuntimeSettings | None = None,
    notify: Callable[[Any], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Record:
    """Do a step's work and publish its result. `provenance` is what `ingredients` gave."""
    key = digest_of(provenance)

    def write(folder: Path) -> tuple[Mapping[str, Any], float]:
        checkpoints, downloads = workspace.checkpoints(key), workspace.downloads
        source = provenance["settings"].get("source")
        job = Job(folder, checkpoints, runtime or RuntimeSettings(), notify, should_stop, downloads, source)
        opened = (workspace.open(inputs[name], parts) for name, parts in step.inputs.items())
        started = time.perf_counter()
        statistics = step.load()(*(sections[name] for name in step.sections), *opened, job)
        return statistics, time.perf_counter() - started

    return workspace.publish(step.name, key, write, provenance)
