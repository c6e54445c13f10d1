"""How a command ends whose output nobody reads any more, or that has no space for it."""

import os
import shlex
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


needs_full_disk = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk without space")


@needs_full_disk
@pytest.mark.parametrize("lines", [1, 100_000])
def test_an_output_without_space_is_said_so(lines: int) -> None:
    command = [sys.executable, "-c", PROGRAM.format(lines=lines)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (
        2,
        "error: the output, or a temporary file, could not be written: the disk is full.\n",
    )


MESSAGES = """
import logging, sys
from flows.console import _Lines
from flows.guard import guarded
from seq2seq.errors import Seq2SeqError

def work():
    logging.getLogger().addHandler(_Lines())
    logging.getLogger().warning("one of many lines")
    print("done")
    {last}

sys.exit(guarded(work, True))
"""


@needs_full_disk
@pytest.mark.parametrize(("last", "code"), [("pass", 0), ("raise Seq2SeqError('a step failed')", 1)])
def test_messages_without_space_are_lost_and_nothing_else_is(last: str, code: int) -> None:
    command = [sys.executable, "-c", MESSAGES.format(last=last)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False)

    assert (done.returncode, done.stdout) == (code, "done\n")


@pytest.mark.parametrize("shut", ["2>&-", ">&-", ">&- 2>&-"])
def test_a_stream_that_was_shut_from_the_start_changes_no_exit_code(shut: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m flows settings --section training {shut}"
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 0
