"""Standard output whose reader has gone, as in `… | head`."""

import os
import select
import sys

READER_GONE = 141
"""Exit code: what a shell reports of a program that SIGPIPE ended."""


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
