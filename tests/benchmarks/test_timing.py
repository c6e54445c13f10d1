"""How the benchmarks measure and write down."""

import sys
from pathlib import Path

import pytest

from benchmarks.timing import Command, in_turn, markdown_table


def test_commands_are_measured_in_turn_after_a_round_that_does_not_count(tmp_path: Path) -> None:
    def command(name: str) -> Command:
        return Command([sys.executable, "-c", f"open('log', 'a').write('{name}')"], tmp_path)

    medians = in_turn({"a": command("a"), "b": command("b")}, 2)

    assert (tmp_path / "log").read_text(encoding="utf-8") == "ababab"
    assert medians.keys() == {"a", "b"}
    assert all(seconds > 0 for seconds in medians.values())


def test_a_command_that_fails_says_how_and_is_not_measured(tmp_path: Path) -> None:
    command = Command([sys.executable, "-c", "raise SystemExit('no disk')"], tmp_path)

    with pytest.raises(RuntimeError, match="ended with code 1:\nno disk"):
        command.seconds()


def test_a_table_is_markdown() -> None:
    assert markdown_table(("way", "s"), [("flow", 1)]) == "| way | s |\n| --- | --- |\n| flow | 1 |"
