"""What the code of a step comes to: a digest of each first-party module behind it.

Comments, docstrings, blank lines and trailing space do not count. The digest is taken of the text, not of a syntax
tree, so that it does not depend on the version of Python that computes it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from seq2seq.storage.artifacts import digest_of

SOURCE_ROOT = Path(__file__).parents[2]

# Enters keys by RECORD_FORMAT, not by its code: else every refactoring would retrain every model.
INFRASTRUCTURE = frozenset(
    f"seq2seq.{name}"
    for name in (
        "config",
        "errors",
        "export",  # which no step makes or runs
        "export.reading",
        "export.running",
        "peak_memory",
        "pipeline",
        "registry.champions",
        "settings.promotion",
        "settings.runtime",
        "settings.section",
        "storage",
        "storage.artifacts",
        "storage.code_digests",
        "storage.disk",
        "storage.flock",
    )
)

STRING_OR_COMMENT = re.compile(
    r'''
    \#[^\n]*
    | """ (?: [^"\\] | \\. | "(?!"") )* """
    | \'\'\' (?: [^'\\] | \\. | '(?!'') )* \'\'\'
    | " (?: [^"\\\n] | \\. )* "
    | ' (?: [^'\\\n] | \\. )* '
    ''',
    re.DOTALL | re.VERBOSE,
)
INSIDE = "\0"  # stands for a line end within a string; no Python source holds one


def code_digests(*modules: str, root: Path = SOURCE_ROOT) -> dict[str, str]:
    """Digest of the code of the modules and of each first-party module they import, directly or not."""
    found: dict[str, str] = {}
    waiting, seen = list(modules), set(INFRASTRUCTURE)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if (path := module_file(name, root)) is None:
            continue
        found[name], imported = _digest_and_imports(path, path.stat().st_mtime_ns)
        waiting.extend(imported)
    return dict(sorted(found.items()))


def module_file(name: str, root: Path = SOURCE_ROOT) -> Path | None:
    """File of a first-party module; None for a name that is none (a function, another library)."""
    base = root.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _digest_and_imports(path: Path, mtime_ns: int) -> tuple[str, tuple[str, ...]]:
    source = path.read_text(encoding="utf-8")
    tree = _parse(source)
    statements = [tree, *_statements(tree)]
    return digest_of(_code_lines(source, statements)), tuple(_first_party_imports(statements))


def _parse(source: str) -> ast.Module:
    """The syntax tree.

    CPython 3.11 counts the depth of nesting for all threads together, and raises SystemError where the garbage
    collector lets another thread parse in between (python/cpython#106905): then the same is done once more.
    """
    for _ in range(100):
        with suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """All statements below a block; expressions are not looked into, since they hold neither import nor docstring."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        inner = getattr(block, name, ())
        for statement in inner if isinstance(inner, list) else ():
            yield statement
            yield from _statements(statement)


def _first_party_imports(statements: Iterable[ast.AST]) -> Iterator[str]:
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("seq2seq"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("seq2seq"):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _code_lines(source: str, statements: Iterable[ast.AST]) -> list[str]:
    """The lines that do something; what stands inside a string stays as it is."""
    lines = source.split("\n")
    for node in statements:
        if (text := _docstring(node)) is not None:
            _blank(text, lines)
    bare = STRING_OR_COMMENT.sub(_without_comment, "\n".join(lines))
    return [part for line in bare.split("\n") if line.strip() for part in line.rstrip().split(INSIDE)]


def _without_comment(match: re.Match[str]) -> str:
    return "" if match[0].startswith("#") else match[0].replace("\n", INSIDE)


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
