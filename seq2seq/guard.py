"""How a command ends: its errors as a message and an exit code, without a traceback."""

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar

from seq2seq.errors import Seq2SeqError, TrainingInterrupted, UserError
from seq2seq.storage.disk import FULL

TRACEBACK = ContextVar("TRACEBACK", default=False)
"""Whether the person wants to see where an error came from; a command line that has `--traceback` sets it."""
READER_GONE = 141
"""Exit code where nobody reads standard output any more, as in `… | head`: what a shell reports of SIGPIPE."""


def guarded(work: Callable[[], object], interrupted: str = "", told: tuple[type[Exception], ...] = ()) -> int:
    """Do `work`, and turn errors into a message and an exit code; quietly where nobody reads the output any more.

    `interrupted` is what is said after Ctrl-C; errors of the types `told` were explained to the person already.
    """
    try:
        work()
        if sys.stdout:
            sys.stdout.flush()
    except told:
        return 2
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            return READER_GONE
        with suppress(OSError):  # nor may there be space for this
            if TRACEBACK.get():
                traceback.print_exception(error)
            if message := _explain(error, interrupted):
                print(message, file=sys.stderr)
        return _exit_code(error)
    finally:
        _discard_what_cannot_be_written()
    return 0


def open_what_is_shut() -> None:
    """Standard streams that were shut from the start (`2>&-`) are None: make them empty, for child processes too.

    Else an error would be printed to standard output, and the next file that is opened would take their number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nothing, True)
            setattr(sys, name, os.fdopen(nothing, mode, encoding="utf-8", errors="backslashreplace"))


def _reader_is_gone() -> bool:
    """Whether nobody reads standard output any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout, 0)  # the system tells of errors unasked
    except (AttributeError, OSError, ValueError):  # Windows; a standard output that is no file
        return False
    return bool(poll.poll(0))


def _discard_what_cannot_be_written() -> None:
    """Python tries once more when it ends, and makes 120 of the exit code if that fails."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # one that was shut from the start is None
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except ValueError:  # it was shut since
            pass


def _no_space(error: BaseException) -> str:
    """Why something could not be written that has no name; empty for other errors. What a step writes has one."""
    return FULL.get(error.errno or 0, "") if isinstance(error, OSError) and error.filename is None else ""


def _explain(error: BaseException, interrupted: str) -> str:
    """What went wrong and what to do."""
    if isinstance(error, TrainingInterrupted):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return interrupted
    if isinstance(error, Seq2SeqError):
        return f"error: {error}"
    if reason := _no_space(error):
        return f"error: the output, or a temporary file, could not be written: {reason}."
    return f"error: {type(error).__name__}: {error}\nThis was not foreseen; --traceback shows where it came from."


def _exit_code(error: BaseException) -> int:
    """2 for what the person can mend, 128 and the signal's number for an interruption, 1 otherwise."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, TrainingInterrupted):
        return 128 + int(getattr(error, "signal_number", signal.SIGINT))
    return 2 if isinstance(error, UserError) or _no_space(error) else 1
