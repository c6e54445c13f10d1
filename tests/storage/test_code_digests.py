"""Code digests in a process with several threads."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seq2seq.decoding import steps as decoding
from seq2seq.storage.code_digests import _digest_and_imports


class Cycle:
    """Garbage whose collection runs code, so that another thread may run in between."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sum(range(2000))


@pytest.fixture
def _restless() -> Iterator[None]:
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(50)
    sys.setswitchinterval(1e-6)
    yield
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_restless")
def test_threads_that_parse_at_once_do_not_disturb_each_other() -> None:
    path = Path(decoding.__file__)

    def digest(_: int) -> object:
        for _ in range(20):
            Cycle()
        return _digest_and_imports.__wrapped__(path, 0)

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(digest, range(120)))) == 1
