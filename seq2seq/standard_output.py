"""Standard output whose reader has gone, as in `… | head`; standard streams that were never open."""

import os
import select
import sys

READER_GONE = 141
"""Exit code: what a shell reports of a program that SIGPIPE ended."""


def open_what_is_shut() -> None:
    """Standard streams that were shut from the start (`2>&-`) are None: make them empty, for child processes too.

    Else an error would be printed to standard output, and the next file that is opened would take their number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nothing, True)
            setattr(sys, name, os.fdopen(nothing, mode, encoding="utf-8", errors="backslashreplace"))


def reader_is_gone() -> bool:
    """Whether nobody reads standard output any more: then what is left for it is thrown away."""
    try:
        poll = select.poll()
        poll.register(sys.stdout, 0)  # the system tells of errors unasked
    except (AttributeError, OSError, ValueError):  # Windows; a standard output that is no file
        return False
    if gone := bool(poll.poll(0)):
        discard()
    return gone


def discard() -> None:
    """Python flushes standard output once more when it ends: give it somewhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
