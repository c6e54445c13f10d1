"""What several test modules share: a tiny corpus, a configuration that trains on it in a second, a server."""

import atexit
import os
import random
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from seq2seq.config import Config, load_config

hypothesis_settings.register_profile("patient", deadline=None)  # a busy machine is no fault of the code
hypothesis_settings.load_profile("patient")
os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a script started the tests in the background
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

WORDS = {
    "der": "the",
    "die": "a",
    "ein": "one",
    "kleiner": "small",
    "großer": "big",
    "Hund": "dog",
    "Katze": "cat",
    "Mann": "man",
    "Frau": "woman",
    "Kind": "child",
    "läuft": "runs",
    "schläft": "sleeps",
    "isst": "eats",
    "sieht": "sees",
    "heute": "today",
    "dort": "there",
}
SIZES = {"train": 120, "valid": 12, "test": 10, "second_test": 8}

TINY = """
name = "tiny"

[corpus]
kind = "files"
directory = "corpus"
source_language = "de"
target_language = "en"

[vocabulary]
kind = "word"
min_frequency = 1

[model]
embedding_size = 8
encoder_hidden_size = 8
decoder_hidden_size = 8

[training]
max_steps = 4
warmup_steps = 1
batch_tokens = 200

[evaluation]
beam_size = 2
bootstrap_samples = 100

[runtime]
threads = 1
"""


@pytest.fixture(scope="session", autouse=True)
def own_device_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests' trainings wait for no other training of this machine: the locks lie in a folder of theirs."""
    tmp_path_factory.getbasetemp()  # stays where it is
    folder = tempfile.mkdtemp(prefix="seq2seq-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # after Prefect, which removes a part of it at the end
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="session")
def tiny_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny.toml` and the corpus beside it: word-for-word translations, drawn from a seed."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.toml").write_text(TINY, encoding="utf-8")
    (folder / "corpus").mkdir()
    draw = random.Random(1)
    for split, pairs in SIZES.items():
        sentences = [draw.choices(list(WORDS), k=draw.randint(3, 8)) for _ in range(pairs)]
        texts = {
            "de": "".join(" ".join(words) + ".\n" for words in sentences),
            "en": "".join(" ".join(WORDS[word] for word in words) + ".\n" for words in sentences),
        }
        for language, text in texts.items():
            (folder / "corpus" / f"{split}.{language}").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_config(tiny_project: Path) -> Callable[..., Config]:
    """Reads `tiny.toml` with settings on top: `tiny_config("training.seed=2")`."""

    def read(*settings: str) -> Config:
        return load_config(str(tiny_project / "tiny.toml"), settings)

    return read


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """Address of a Prefect server that lives as long as the test session; flows run against it."""
    from prefect.settings import get_current_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        address = get_current_settings().api.url
        assert address, "the harness starts a server"
        yield address
