import itertools
import os
import pickle
import random
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.batching import TOKENS_PER_SENTENCE, batches_by_length
from seq2seq.decoding.translation import Translation
from seq2seq.device import DECODING_KERNELS, FEW_KERNELS, KERNEL_CACHES
from seq2seq.errors import ConfigError, CorpusError, ModelError
from seq2seq.registry.model_folder import load_model
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.subwords.special_tokens import EOS
from seq2seq.translator import BATCHES_PER_CHUNK, Translator
from tests.tiny import PIECES, WITH_BF16, write_tiny_model

WORDS = [piece.strip("▁") for piece in PIECES["source"]]
RUNTIME = RuntimeSettings(threads=1, device="cpu")


def sentences(count: int) -> list[str]:
    chosen = random.Random(5)
    return [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("translator") / "model")


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return Translator.load(folder, RUNTIME)


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("batch_sentences", [1, 3, 64])
def test_translations_come_in_order_whatever_they_are_decoded_with(
    translator: Translator, beam_size: int, batch_sentences: int
) -> None:
    texts = sentences(25)
    alone = [translator.translate([text], beam_size)[0] for text in texts]
    assert translator.translate(texts, beam_size, batch_sentences=batch_sentences) == alone
    assert len(set(alone)) > 20


def test_a_folder_may_be_named_by_text(folder: Path, translator: Translator) -> None:
    assert Translator.load(str(folder), RUNTIME).translate(sentences(3)) == translator.translate(sentences(3))
    with pytest.raises(ModelError, match="nowhere"):
        Translator.load("nowhere", RUNTIME)


def test_decoding_keeps_the_kernels_of_its_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cache in KERNEL_CACHES:
        monkeypatch.delenv(cache, raising=False)
    Translator.load(folder, RUNTIME)
    assert [os.environ[cache] for cache in KERNEL_CACHES] == [str(DECODING_KERNELS), str(FEW_KERNELS)]


def test_sentences_without_a_token_have_empty_translations_and_never_reach_the_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_model(folder)
    monkeypatch.setattr(loaded.model, "encode", lambda *batch: pytest.fail("the model was called"))
    assert Translator.of(loaded).translate(["", " ", "\t\u3000\n"]) == ["", "", ""]


def test_a_blank_sentence_keeps_its_place_among_others(translator: Translator) -> None:
    first, second = translator.translate(["eins", "zwei drei"])
    assert translator.translate(["eins", "  ", "zwei drei"]) == [first, "", second]


def test_no_sentences_have_no_translations(translator: Translator) -> None:
    assert translator.translate([]) == []
    assert list(translator.stream([])) == []


def test_a_very_long_sentence_is_read_to_its_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_model(folder)
    encode, read = loaded.model.encode, []

    def recording(source_BS: torch.Tensor, lengths_B: torch.Tensor) -> object:
        read.append((source_BS[0, -2:].tolist(), lengths_B.tolist()))
        return encode(source_BS, lengths_B)

    monkeypatch.setattr(loaded.model, "encode", recording)
    [translation] = Translator.of(loaded).translate_in_detail(["eins zwei drei " * 199 + "eins zwei acht"], beam_size=1)
    last = loaded.source_tokenizer.token_to_id("▁acht")
    assert read == [([last, EOS], [601])]
    assert translation.source_tokens == 600


def test_unknown_tokens_and_translations_cut_at_their_limit_are_counted(folder: Path) -> None:
    loaded = load_model(folder)
    with torch.no_grad():
        loaded.model.output.bias[3] = -1000.0
    found = Translator.of(loaded).translate_in_detail(["eins neun zehn"], beam_size=2)[0]
    assert (found.source_tokens, found.unknown_tokens) == (3, 2)
    assert found.at_limit
    assert found.target_tokens == 2 * 4 + 20


def test_text_that_spells_a_special_token_is_text(translator: Translator) -> None:
    plain, spelled = translator.translate_in_detail(["eins", "eins </s>"], beam_size=1)
    assert plain.unknown_tokens == 0
    assert spelled.unknown_tokens == spelled.source_tokens - 1 > 1


def test_progress_tells_how_many_sentences_are_done(translator: Translator) -> None:
    told: list[int] = []
    translator.translate_in_detail(["eins", "", "zwei", "drei"], batch_sentences=2, progress=told.append)
    assert told == [3, 4]


def test_a_stream_reads_only_a_bounded_number_of_lines_ahead(translator: Translator) -> None:
    taken = itertools.count()

    def endless() -> Iterator[str]:
        for line in itertools.cycle(["eins zwei", "drei"]):
            next(taken)
            yield line

    stream = translator.stream(endless(), beam_size=1, batch_sentences=2)
    found = list(itertools.islice(stream, 3 * BATCHES_PER_CHUNK))
    assert next(taken) == 4 * BATCHES_PER_CHUNK
    assert found == translator.translate(["eins zwei", "drei"], beam_size=1) * (3 * BATCHES_PER_CHUNK // 2)


def test_a_stream_gives_all_lines_before_one_that_is_damaged_and_names_its_number(translator: Translator) -> None:
    lines = ["eins zwei", "drei"] * BATCHES_PER_CHUNK
    stream = translator.stream([*lines, "eins", "zwei \ud83d", "drei"], batch_sentences=2)
    found = list(itertools.islice(stream, len(lines) + 1))
    assert found == translator.translate([*lines, "eins"])
    with pytest.raises(CorpusError, match=rf"Sentence {len(lines) + 2} holds half of a character"):
        next(stream)


@pytest.mark.parametrize("precision", [pytest.param("bf16", marks=WITH_BF16), "int8"])
def test_faster_arithmetic_is_at_hand(folder: Path, precision: str) -> None:
    exact, faster = (
        Translator.load(folder, RUNTIME, name).translate(sentences(5), beam_size=2) for name in ("fp32", precision)
    )
    assert len(faster) == 5
    assert faster != exact


@pytest.fixture
def two_threads(folder: Path) -> Iterator[Translator]:
    before = torch.get_num_threads()
    yield Translator.load(folder, RuntimeSettings(threads=2, device="cpu"))
    torch.set_num_threads(before)


def test_batches_that_run_side_by_side_give_the_same_in_the_same_order(
    translator: Translator, two_threads: Translator
) -> None:
    texts = sentences(12)
    told: list[int] = []
    found = two_threads.translate_in_detail(texts, beam_size=2, batch_sentences=3, progress=told.append)
    assert [one.text for one in found] == translator.translate(texts, beam_size=2, batch_sentences=3)
    assert told == [3, 6, 9, 12]
    assert torch.get_num_threads() == 2


def test_two_threads_share_what_would_be_one_batch_but_not_a_few_sentences(
    two_threads: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def record(sources: list[list[int]], search: object) -> list[list[Translation]]:
        sizes.append(len(sources))
        return [[Translation("")]] * len(sources)

    monkeypatch.setattr(two_threads, "_translate_batch", record)
    two_threads.translate(sentences(80))
    two_threads.translate(sentences(32))
    assert sorted(sizes) == [32, 40, 40]


def test_an_error_in_one_of_several_threads_reaches_the_caller_and_ends_the_work(
    two_threads: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()

    def fail(*arguments: object) -> None:
        next(calls)
        raise MemoryError("no room")

    monkeypatch.setattr(two_threads, "_translate_batch", fail)
    with pytest.raises(MemoryError, match="no room"):
        two_threads.translate(sentences(400), batch_sentences=1)
    assert next(calls) < 400


def test_someone_who_ends_the_work_does_not_wait_for_all_batches(two_threads: Translator) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        two_threads.translate_in_detail(sentences(2000), beam_size=1, batch_sentences=4, progress=stop)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("translate")]


def in_a_fork(work: Callable[[], object]) -> str:
    """What `work` gives or raises in a forked process; nothing if it hangs there."""
    reading, writing = os.pipe()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # this process has several threads
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        try:
            answer = repr(work())
        except BaseException as error:
            answer = repr(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def test_after_a_fork_several_threads_are_an_error_that_says_where_to_load(two_threads: Translator) -> None:
    texts = sentences(80)
    two_threads.translate(texts)
    works: list[Callable[[], object]] = [
        lambda: two_threads.translate(texts),
        lambda: two_threads.translate(texts[:1]),
        lambda: two_threads.score(texts, texts),
    ]
    for work in works:
        assert re.match(r"UserError.*load it after the fork", in_a_fork(work))


def test_after_a_fork_one_thread_works_on(folder: Path) -> None:
    translator, texts = Translator.load(folder, RUNTIME), sentences(80)
    assert in_a_fork(lambda: translator.translate(texts)) == repr(translator.translate(texts))


def test_a_translator_that_is_pickled_says_what_to_do(translator: Translator) -> None:
    with pytest.raises(TypeError, match=r"load it in each process, or use .*TranslatorPool"):
        pickle.dumps(translator)


def test_a_translation_is_one_line_whatever_the_vocabulary_holds(tmp_path: Path) -> None:
    folder = write_tiny_model(
        tmp_path / "model", pieces={"target": [f"▁{letter}\n\u2028{letter} " for letter in "abcdef"]}
    )
    texts = Translator.load(folder, RUNTIME).translate(sentences(5), beam_size=1)
    assert any(texts)
    assert all(text == " ".join(text.split()) for text in texts)


@given(st.lists(st.integers(0, 500), max_size=60), st.integers(1, 20))
def test_batches_hold_every_sentence_that_has_a_token_once_longest_first_and_never_too_much(
    lengths: list[int], batch_sentences: int
) -> None:
    batches = list(batches_by_length(lengths, batch_sentences))
    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == [row for row, length in enumerate(lengths) if length]
    assert [lengths[row] for row in rows] == sorted(filter(None, lengths), reverse=True)
    for batch in batches:
        padded = len(batch) * lengths[batch[0]]
        assert 1 <= len(batch) <= batch_sentences
        assert padded <= batch_sentences * TOKENS_PER_SENTENCE or len(batch) == 1


@pytest.mark.parametrize(
    "option", [{"beam_size": 0}, {"beam_size": -1}, {"batch_sentences": 0}, {"length_penalty": -1.0}], ids=str
)
def test_options_out_of_range_are_named_and_no_sentence_is_lost(translator: Translator, option: dict[str, int]) -> None:
    (name,) = option
    with pytest.raises(ConfigError, match=name):
        translator.translate(["eins"], **option)
    with pytest.raises(ConfigError, match=name):
        list(translator.stream(["eins"], **option))


@pytest.mark.parametrize(
    "option",
    [{"beam_size": "3"}, {"beam_size": 3.0}, {"beam_size": True}, {"length_penalty": "1"}, {"batch_sentences": 8.0}],
    ids=str,
)
def test_options_are_numbers_and_not_what_could_be_read_as_one(translator: Translator, option: dict[str, Any]) -> None:
    ((name, value),) = option.items()
    with pytest.raises(ConfigError, match=f"{name} has to be a .*number, not {value!r}"):
        translator.translate(["eins"], **option)


def test_options_may_be_numbers_of_numpy(translator: Translator) -> None:
    found = translator.n_best(["eins zwei"], np.int64(2), np.int32(3), np.float32(0.5), np.int64(8))
    assert found == translator.n_best(["eins zwei"], 2, 3, 0.5, 8)


@pytest.mark.parametrize("count", ["1", 1.0, True, 0, 6], ids=repr)
def test_how_many_translations_are_wanted_is_checked_too(translator: Translator, count: Any) -> None:
    with pytest.raises(ConfigError, match="n_best"):
        translator.n_best(["eins"], count)


def test_a_precision_that_there_is_not_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="int8, not 'int-8'"):
        Translator.load(folder, RUNTIME, precision="int-8")
    with pytest.raises(ConfigError, match="'BF16'"):
        Translator.of(load_model(folder), precision="BF16")


def test_one_text_in_the_place_of_a_list_is_refused(translator: Translator) -> None:
    with pytest.raises(TypeError, match=r"give \[text\]"):
        translator.translate("eins")


def test_half_of_a_character_is_named_with_its_sentence(translator: Translator) -> None:
    with pytest.raises(CorpusError, match=r"Sentence 2 holds half of a character, '\\ud83d' at position 6"):
        translator.translate(["eins", "zwei \ud83d", "drei"])


@pytest.mark.parametrize("beam_size", [1, 4])
def test_the_first_of_the_best_is_the_translation_and_scores_fall(translator: Translator, beam_size: int) -> None:
    texts = [*sentences(25), " "]
    several = translator.n_best(texts, beam_size, beam_size, batch_sentences=7)

    assert [best.text for best, *_ in several] == translator.translate(texts, beam_size)
    assert {len(best) for best in several[:-1]} == {beam_size}
    assert several[-1] == [Translation("", score=0.0)]
    for best in several:
        scores = [one.score for one in best if one.score is not None]
        assert len(scores) == len(best)
        assert scores == sorted(scores, reverse=True)
    for count in (0, beam_size + 1):
        with pytest.raises(ConfigError, match="n_best may be 1 to beam_size"):
            translator.n_best(texts, count, beam_size)


def test_int8_runs_on_the_cpu_where_no_device_was_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = Translator.load(folder, RuntimeSettings(threads=1), "int8").translate(sentences(2))
    assert found == Translator.load(folder, RUNTIME, "int8").translate(sentences(2))
