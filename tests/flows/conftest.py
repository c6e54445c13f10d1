"""A finished run, for the tests that start from one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq.config import Config


@pytest.fixture(scope="session")
def first(
    prefect_server: str, tmp_path_factory: pytest.TempPathFactory, tiny_config: Callable[..., Config]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A workspace after a first run, and that run's report. To be read, or copied: it is there for all tests."""
    from flows.train_translator import train_translator

    workspace = tmp_path_factory.mktemp("first") / "workspace"
    report = Path(train_translator(tiny_config(), str(workspace)))
    made = sorted(workspace.rglob("*.json"))
    yield workspace, json.loads(report.read_text(encoding="utf-8"))
    assert sorted(workspace.rglob("*.json")) == made, "a test wrote into the workspace that the others copy"
