"""How a command ends whose output nobody reads any more."""

import subprocess
import sys

import pytest

from flows.guard import guarded

PROGRAM = """
import sys
from flows.guard import guarded
sys.exit(guarded(lambda: print("line\\n" * {lines}), False))
"""


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_goes_away_ends_a_command_quietly(lines: int) -> None:
    command = [sys.executable, "-c", PROGRAM.format(lines=lines)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_a_pipe_that_is_not_the_output_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise BrokenPipeError("a server went away")

    assert guarded(work, False) == 1
    assert "BrokenPipeError: a server went away" in capfd.readouterr().err
