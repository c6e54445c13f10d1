"""Who may import whom, and what a library does not do."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
ENVIRONMENT_ALLOWED = {
    "seq2seq/device.py",  # sets the size of oneDNN's kernel cache, which is told in no other way
}

BROUGHT = {"huggingface_hub", "onnx_ir", "onnxruntime"}  # by datasets, and by the extra onnx


def sources(*packages: str) -> dict[str, ast.Module]:
    """Syntax trees of all modules of some packages, by path."""
    paths = sorted(path for package in packages for path in (CHECKOUT / package).rglob("*.py"))
    assert paths
    return {str(path.relative_to(CHECKOUT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def imported(tree: ast.Module) -> Iterator[str]:
    """Top-level names that a module imports anywhere in it; a relative import counts as `.`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0] if node.module and not node.level else "."


def importers(packages: tuple[str, ...], *modules: str) -> list[str]:
    """Modules of `packages` that import one of `modules`."""
    return [path for path, tree in sources(*packages).items() if not set(imported(tree)).isdisjoint(modules)]


def test_the_library_knows_neither_prefect_nor_the_layers_above_it() -> None:
    assert importers(("seq2seq",), "prefect", "tasks", "flows") == []


def test_the_packages_of_the_library_import_one_another_in_one_direction() -> None:
    """A cycle would be named by the error."""
    needs: dict[str, set[str]] = {}
    for path, tree in sources("seq2seq").items():
        package = path.removesuffix(".py").split("/")[1]
        needs.setdefault(package, set()).update(parts_of_the_library(tree) - {package})
    order = list(TopologicalSorter(needs).static_order())
    assert order.index("storage") < order.index("registry") < order.index("workspace")


def parts_of_the_library(tree: ast.Module) -> set[str]:
    """Packages, and modules that are in none, of `seq2seq` that a module imports anywhere in it."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("seq2seq.")}


def test_tasks_know_no_flow() -> None:
    assert importers(("tasks",), "flows") == []


def test_imports_are_absolute_so_that_the_code_digest_can_follow_them() -> None:
    assert importers(("seq2seq", "tasks", "flows"), ".") == []


def test_the_library_requires_what_it_imports_and_nothing_else() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.split(r"\W", requirement)[0] for requirement in project["dependencies"]}
    found = {name for tree in sources("seq2seq").values() for name in imported(tree)}

    assert found - sys.stdlib_module_names - {"seq2seq"} == required | BROUGHT


def test_nothing_is_pickled() -> None:
    assert importers(("seq2seq", "tasks", "flows"), "pickle", "cloudpickle", "dill", "joblib", "shelve") == []


def test_the_library_prints_nothing_and_asks_nobody() -> None:
    talkers = [
        path
        for path, tree in sources("seq2seq").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "input", "breakpoint"}
    ]
    assert set(talkers) <= {"seq2seq/__main__.py", "seq2seq/guard.py"}


def test_defaults_are_keywords_as_type_checkers_know_no_others() -> None:
    positional = [
        f"{path}:{node.lineno}"
        for path, tree in sources("seq2seq").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Field" and node.args
    ]
    assert positional == []


def test_the_library_reads_no_environment() -> None:
    readers = [
        path
        for path, tree in sources("seq2seq").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]
    assert set(readers) <= ENVIRONMENT_ALLOWED


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc"}

    assert [path for path in sources("seq2seq", "tasks", "flows") if Path(path).stem in drawers] == []
