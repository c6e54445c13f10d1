"""The steps as data: what each one does, reads and depends on, and the key that says so.

A key is the digest of everything that shapes a step's result: the code that does the work, the settings it
reads, the content of its inputs, the versions of the libraries behind it. Equal keys mean equal results.
"""

import ast
import importlib
import io
import time
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seq2seq.artifacts import RECORD_FORMAT, Record, Workspace, digest_of
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.settings.section import Section

SOURCE_ROOT = Path(__file__).parent.parent

# Enters keys by RECORD_FORMAT, not by its code: else every refactoring would retrain every model.
INFRASTRUCTURE = frozenset(
    f"seq2seq.{name}"
    for name in (
        "artifacts",
        "config",
        "errors",
        "pipeline",
        "settings.promotion",
        "settings.runtime",
        "settings.section",
    )
)


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
        Step("fetch", "seq2seq.corpora.fetching:fetch", ("corpus",), {}, ("pandas", "pyarrow")),
        Step(
            "clean",
            "seq2seq.corpora.cleaning:clean",
            ("cleaning",),
            {"fetch": ("train", "valid", "test")},
            ("pandas", "pyarrow"),
        ),
        Step(
            "tokenize",
            "seq2seq.tokenization:tokenize",
            ("tokenization",),
            {"clean": ("train", "valid")},
            ("tokenizers", "pyarrow"),
        ),
        Step(
            "vocabulary",
            "seq2seq.vocabulary:learn",
            ("vocabulary",),
            {"tokenize": ("rules", "train")},
            ("tokenizers",),
        ),
        Step(
            "encode",
            "seq2seq.encoding:encode",
            (),
            {"tokenize": ("train", "valid"), "vocabulary": ()},
            ("tokenizers", "pyarrow"),
        ),
        Step(
            "train",
            "seq2seq.training.loop:train",
            ("model", "training"),
            {"encode": ("train", "valid"), "vocabulary": (), "clean": ("valid",)},
            ("torch", "sacrebleu"),
        ),
        Step(
            "evaluate",
            "seq2seq.evaluation:evaluate",
            ("evaluation",),
            {"train": (), "clean": ("test",)},
            ("torch", "sacrebleu", "tokenizers"),
        ),
    )
}


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
        "code": code_digests(step.work.partition(":")[0]),
        "settings": settings if source is None else {"source": dict(source)},
        "inputs": {name: inputs[name].parts(parts) for name, parts in step.inputs.items()},
        "libraries": {name: version(name) for name in step.libraries},
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
        job = Job(folder, workspace.checkpoints(key), runtime or RuntimeSettings(), notify, should_stop)
        opened = (workspace.open(inputs[name], parts) for name, parts in step.inputs.items())
        started = time.perf_counter()
        statistics = step.load()(*(sections[name] for name in step.sections), *opened, job)
        return statistics, time.perf_counter() - started

    return workspace.publish(step.name, key, write, provenance)


def code_digests(module: str, root: Path = SOURCE_ROOT) -> dict[str, str]:
    """Digest of the code of `module` and of each first-party module it imports, directly or not."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _module_file(name, root)
        if name in found or name in INFRASTRUCTURE or path is None:
            continue
        found[name], imported = _digest_and_imports(path, path.stat().st_mtime_ns)
        waiting.extend(imported)
    return dict(sorted(found.items()))


def _module_file(name: str, root: Path) -> Path | None:
    """File of a first-party module; None for a name that is none (a function, another library)."""
    base = root.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _digest_and_imports(path: Path, mtime_ns: int) -> tuple[str, tuple[str, ...]]:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    return digest_of(_code_lines(source, tree)), tuple(_first_party_imports(tree))


def _first_party_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("seq2seq"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("seq2seq"):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _code_lines(source: str, tree: ast.Module) -> list[str]:
    """The lines that do something: without comments, docstrings, blank lines and trailing space.

    Works on the text, so that the digest does not depend on the version of Python that computes it.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    docstrings = [text for node in ast.walk(tree) if (text := _docstring(node)) is not None]
    for text in docstrings:
        _blank(text, lines)
    inside = _rows_inside_strings(tree, docstrings)
    trimmed = (line if row in inside else line.rstrip() for row, line in enumerate(lines))
    return [line for row, line in enumerate(trimmed) if line or row in inside]


def _docstring(node: ast.AST) -> ast.Constant | None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
        return None
    first = node.body[0]
    text = first.value if isinstance(first, ast.Expr) else None
    return text if isinstance(text, ast.Constant) and isinstance(text.value, str) else None


def _blank(text: ast.Constant, lines: list[str]) -> None:
    """Take a docstring out of its lines; columns of the syntax tree count bytes of UTF-8."""
    first, last = text.lineno - 1, (text.end_lineno or text.lineno) - 1
    before = lines[first].encode()[: text.col_offset].decode()
    after = lines[last].encode()[text.end_col_offset :].decode()
    lines[first : last + 1] = [before + after] + [""] * (last - first)


def _rows_inside_strings(tree: ast.Module, docstrings: list[ast.Constant]) -> set[int]:
    """Rows (from 0) of strings that go over several lines: blanks count in them."""
    return {
        row
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in docstrings
        for row in range(node.lineno - 1, (node.end_lineno or node.lineno) - 1)
    }
