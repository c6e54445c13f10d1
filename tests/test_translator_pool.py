import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from seq2seq import translator_pool
from seq2seq.errors import ConfigError, CorpusError, ModelError, Seq2SeqError
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.translator import Translator
from seq2seq.translator_pool import TranslatorPool
from tests.tiny import write_tiny_model

ONE, TWO = (RuntimeSettings(threads=2, processes=count, device="cpu") for count in (1, 2))
WORDS = ["eins", "zwei", "drei vier.", "acht, sieben und sechs!", "fünf", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("pool") / "model")


@pytest.fixture(scope="module")
def pool(folder: Path) -> Iterator[TranslatorPool]:
    with TranslatorPool(folder, TWO) as pool:
        yield pool


def sentences(count: int) -> list[str]:
    return [" ".join(WORDS[(row + word) % len(WORDS)] for word in range(row % 7)) for row in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 67])
def test_processes_together_say_what_one_translator_says(pool: TranslatorPool, folder: Path, count: int) -> None:
    expected = Translator.load(folder, ONE).translate(sentences(count), 3, 0.5)
    assert pool.translate(iter(sentences(count)), 3, 0.5) == expected
    assert len(set(expected)) >= count // 4


def test_processes_together_find_what_one_translator_finds_best(pool: TranslatorPool, folder: Path) -> None:
    found, expected = (each.n_best(sentences(30), 2, 3) for each in (pool, Translator.load(folder, ONE)))
    assert [[one.text for one in best] for best in found] == [[one.text for one in best] for best in expected]
    assert max(map(len, found)) == 2
    with pytest.raises(ConfigError, match="n_best may be 1 to beam_size"):
        pool.n_best(["eins"], 4, 3)


def test_every_process_has_its_share_of_the_work(pool: TranslatorPool) -> None:
    before = [processor_seconds(child.pid) for child in pool._children]
    pool.translate(sentences(400))
    spent = [processor_seconds(child.pid) - start for child, start in zip(pool._children, before, strict=True)]
    assert min(spent) > 0


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_what_is_wrong_with_the_request_is_the_error_that_a_translator_raises(folder: Path) -> None:
    with pytest.raises(ModelError) as alone:
        Translator.load(folder, ONE, target_language="fr")
    with TranslatorPool(folder, TWO, target_language="fr") as pool, pytest.raises(ModelError) as together:
        pool.translate(["eins", "zwei"])
    assert ended(pool)
    with pytest.raises(Seq2SeqError, match="is closed"):
        pool.translate(["eins"])
    assert str(together.value) == str(alone.value)
    assert ended(pool)


def test_a_folder_that_is_none_is_found_before_a_process_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(translator_pool, "Child", started.append)
    (tmp_path / "champion.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError):
        TranslatorPool(tmp_path, TWO)
    assert started == []


def killed_while_it_should_translate(folder: Path) -> None:
    with TranslatorPool(folder, TWO) as pool:
        pool.translate(["eins", "zwei"])
        os.kill(pool._children[1].pid, signal.SIGKILL)
        pool.translate(["eins", "zwei"])


def test_a_process_that_dies_is_an_error_that_says_so(folder: Path) -> None:
    with pytest.raises(Seq2SeqError, match=r"(?s)Process 2 of the 2 .* signal 9, .*said: nothing.*fewer processes"):
        killed_while_it_should_translate(folder)


def wrongly_asked(folder: Path) -> None:
    with TranslatorPool(folder, TWO) as pool:
        pool.translate(["eins"], beam_size="three")  # type: ignore[arg-type]


def test_what_a_process_says_before_it_fails_is_in_the_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translator_pool, "check_search", lambda *options: None)
    with pytest.raises(Seq2SeqError, match=r"(?s)Process 1 of the 2 .*error, code 1.*beam_size.*fewer processes"):
        wrongly_asked(folder)


def test_callers_in_several_threads_each_get_their_own_translations(pool: TranslatorPool) -> None:
    asked = [sentences(20)[:12], sentences(40)[20:32]]
    expected = [pool.translate(lines) for lines in asked]
    assert expected[0] != expected[1]

    def again(lines: list[str]) -> list[list[str]]:
        return [pool.translate(lines) for _ in range(8)]

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(again, asked))
    assert found == [[answer] * 8 for answer in expected]


def test_after_a_call_that_was_interrupted_nobody_gets_its_answers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TranslatorPool(folder, TWO) as pool:
        pool.translate(["eins", "zwei"])
        first = pool._children[0].connection
        with monkeypatch.context() as patch:
            patch.setattr(pool._children[0], "connection", Interrupting(first))
            with pytest.raises(KeyboardInterrupt):
                pool.translate(["eins", "zwei"])
        with pytest.raises(Seq2SeqError, match=r"was interrupted, .* make a new one"):
            pool.translate(["drei", "vier"])
    assert ended(pool)


class Interrupting:
    """A connection over which Ctrl-C comes in the place of an answer."""

    def __init__(self, connection: Connection) -> None:
        self.send = connection.send

    def recv(self) -> None:
        raise KeyboardInterrupt


def test_a_lost_process_is_an_error_of_ours_inside_the_with_statement_too(folder: Path) -> None:
    with TranslatorPool(folder, TWO) as pool:
        pool.translate(["eins", "zwei"])
        os.kill(pool._children[0].pid, signal.SIGKILL)
        with pytest.raises(Seq2SeqError, match=r"Process 1 of the 2 .* signal 9"):
            pool.translate(["eins", "zwei"])
        assert ended(pool)
        with pytest.raises(Seq2SeqError, match="is closed"):
            pool.translate(["eins", "zwei"])


def test_a_pool_can_be_closed_more_than_once_and_then_refuses_work(folder: Path) -> None:
    with TranslatorPool(folder, TWO) as pool:
        pool.close()
        pool.close()
    assert ended(pool)
    with pytest.raises(Seq2SeqError, match="is closed"):
        pool.translate(["eins"])


def test_closing_waits_for_the_call_of_another_thread(folder: Path) -> None:
    with ThreadPoolExecutor(1) as thread, TranslatorPool(folder, TWO) as pool:
        pool.translate(["eins", "zwei"])
        call = thread.submit(pool.translate, sentences(600))
        while not pool._answers_due:
            time.sleep(0.001)
        pool.close()
        assert len(call.result()) == 600


def interrupted(folder: Path, begun: list[TranslatorPool]) -> None:
    with TranslatorPool(folder, TWO) as pool:
        begun.append(pool)
        pool.translate(["eins", "zwei"])
        for child in pool._children:
            child.connection.send(("translate", (sentences(100_000), 5, 1.0, 128)))
        time.sleep(0.5)
        assert all(alive(str(child.pid)) for child in pool._children)
        raise KeyboardInterrupt


def test_an_interrupt_ends_the_processes_in_the_middle_of_their_work(folder: Path) -> None:
    begun: list[TranslatorPool] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(folder, begun)
    assert ended(begun[0])


def ended(pool: TranslatorPool) -> bool:
    return not any(Path(f"/proc/{child.pid}").exists() for child in pool._children)


def test_the_processes_end_when_the_one_that_started_them_is_killed(folder: Path) -> None:
    program = (
        "import sys, time\n"
        "from seq2seq.settings.runtime import RuntimeSettings\n"
        "from seq2seq.translator_pool import TranslatorPool\n"
        "pool = TranslatorPool(sys.argv[1], RuntimeSettings(threads=2, processes=2, device='cpu'))\n"
        "assert len(pool.translate(['eins', 'zwei'])) == len(pool.n_best(['eins', 'zwei'], 2)) == 2\n"
        "assert 'torch' not in sys.modules\n"
        "print(*(child.pid for child in pool._children), flush=True)\n"
        "time.sleep(100)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = parent.stdout.readline().split()
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: str) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.05)


def test_a_request_that_is_refused_leaves_the_processes_at_work(pool: TranslatorPool) -> None:
    with pytest.raises(ConfigError, match="beam_size"):
        pool.translate(["eins"], beam_size=0)
    with pytest.raises(CorpusError, match="Sentence 1 holds"):
        pool.translate(["\udc00"])
    with pytest.raises(TypeError, match="one text"):
        pool.translate("eins")
    with pytest.raises(TypeError, match="Sentence 2 is no text but None"):
        pool.translate(["eins", None])  # type: ignore[list-item]
    assert len(pool.translate(["eins", "zwei"])) == 2


def test_a_precision_that_there_is_not_starts_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translator_pool, "Child", lambda *arguments: pytest.fail("a process was started"))
    with pytest.raises(ConfigError, match="precision"):
        TranslatorPool(folder, TWO, precision="int-8")
