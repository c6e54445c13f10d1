"""How a command ends: whose output nobody reads, that has no space for it, or whose streams are shut."""

import os
import shlex
import subprocess
import sys

import pytest

from seq2seq.guard import guarded

PROGRAM = """
import sys
from seq2seq.guard import guarded
sys.exit(guarded(lambda: print("line\\n" * {lines})))
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

    assert guarded(work) == 1
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
from seq2seq.errors import Seq2SeqError
from seq2seq.guard import TRACEBACK, guarded

def work():
    logging.getLogger().addHandler(_Lines())
    logging.getLogger().warning("one of many lines")
    print("done")
    {last}

TRACEBACK.set(True)
sys.exit(guarded(work))
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


@pytest.mark.parametrize("program", ["flows train", "seq2seq translate"])
@pytest.mark.parametrize("shut", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_an_error_goes_to_no_other_stream_than_standard_error(program: str, shut: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m {program} nowhere {shut}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("" if "2>" in shut else "error: ")
    assert "Traceback" not in done.stderr


CHILD = """
import subprocess, sys
from seq2seq.guard import open_what_is_shut
open_what_is_shut()
print("lost \u00e9", flush=True)
print("lost", file=sys.stderr, flush=True)
assert sys.stdin.buffer.read() == b""
child = "import sys; sys.stdin.read(); print('x'); print('x', file=sys.stderr); assert sys.stderr"
sys.exit(subprocess.run([sys.executable, "-c", child]).returncode)
"""


@pytest.mark.parametrize("shut", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_shut_is_there_for_a_process_and_its_children(shut: str) -> None:
    command = f"{shlex.quote(sys.executable)} -W error -c {shlex.quote(CHILD)} {shut}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, stdin=subprocess.DEVNULL, check=False)

    assert (done.returncode, b"Error" in done.stderr) == (0, False)
