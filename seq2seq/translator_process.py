"""A process that translates: `python -m seq2seq.translator_process SOCKET`, an inherited descriptor.

Started by `seq2seq.translator_pool`: first comes what to load, then what to call with which
arguments; what it gives goes back, or an error.
"""

import sys
from contextlib import suppress
from multiprocessing.connection import Connection

from seq2seq.errors import Seq2SeqError


def serve(connection: Connection) -> None:
    """Translate what comes, until the connection ends."""
    from seq2seq.translator import Translator  # here: who starts such processes need not import PyTorch

    loading = connection.recv()
    try:
        translator = Translator.load(*loading)
    except Seq2SeqError as error:
        connection.recv()  # the answer comes after the question
        connection.send(error)
        return
    while True:
        method, arguments = connection.recv()
        connection.send(getattr(translator, method)(*arguments))


if __name__ == "__main__":
    with suppress(EOFError, ConnectionError), Connection(int(sys.argv[1])) as ours:
        serve(ours)
