import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from seq2seq import __main__ as command
from seq2seq.config import validate_config
from seq2seq.errors import SourceUnavailable, UserError
from seq2seq.registry.sharing import PIPELINE, SCORES, pipeline_json, scores_json
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.translator import Translator
from tests.tiny import WITH_BF16, write_tiny_model

LINES = ["eins zwei", "", "drei vier.", "acht, sieben und sechs!", "fünf"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("command") / "model")


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs `translate` on the tiny model; gives exit code, standard output and standard error."""

    def translate(text: str | bytes, *options: str, model: Path = folder) -> tuple[int, str, str]:
        data = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = command.main(["translate", str(model), "--threads", "1", "--device", "cpu", *options])
        printed = capsysbinary.readouterr()
        return code, printed.out.decode(), printed.err.decode()

    return translate


def expected(folder: Path, lines: Sequence[str], beam_size: int = 5, length_penalty: float = 1.0) -> str:
    translator = Translator.load(folder, RuntimeSettings(threads=1, device="cpu"))
    return "".join(f"{text}\n" for text in translator.translate(lines, beam_size, length_penalty))


def test_one_line_comes_out_for_each_line_that_goes_in(run: Run, folder: Path) -> None:
    assert run("\n".join(LINES) + "\n") == (0, expected(folder, LINES), "")


def test_the_last_line_needs_no_line_end(run: Run, folder: Path) -> None:
    assert run("\n".join(LINES))[1] == expected(folder, LINES)


def test_nothing_in_gives_nothing_out(run: Run) -> None:
    assert run("") == (0, "", "")


def test_line_ends_and_the_byte_order_mark_of_windows_are_no_text(run: Run, folder: Path) -> None:
    assert run(b"\xef\xbb\xbf" + "\r\n".join(LINES).encode() + b"\r\n")[1] == expected(folder, LINES)


def test_decoding_options_reach_the_decoder(run: Run, folder: Path) -> None:
    text = "\n".join(LINES)
    greedy = run(text, "--beam-size", "1", "--batch-sentences", "2")[1]
    assert greedy == expected(folder, LINES, beam_size=1)
    assert run(text, "--length-penalty", "0")[1] == expected(folder, LINES, length_penalty=0) != greedy


@WITH_BF16
def test_lines_are_translated_in_bf16(run: Run) -> None:
    assert run("\n".join(LINES), "--precision", "bf16")[0] == 0


def test_processes_share_the_lines(run: Run, folder: Path) -> None:
    lines = LINES * 9
    assert run("\n".join(lines), "--processes", "2") == (0, expected(folder, lines), "")


def test_lines_are_translated_as_they_come(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "seq2seq", "translate", str(folder), "--threads", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for line in LINES:
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().decode() == expected(folder, [line])
        process.stdin.close()
        assert process.wait(60) == 0


def test_lines_longer_than_one_read_are_put_together() -> None:
    lines = ["a" * 100_000, "b", "ü" * 70_000]
    source = io.BufferedReader(io.BytesIO("\n".join(lines).encode()))  # type: ignore[type-var]  # typeshed wants raw
    assert [line for chunk in command.stream_lines(source) for line in chunk] == lines


def test_a_line_that_is_not_utf8_is_named_after_the_lines_before_it() -> None:
    source = io.BufferedReader(io.BytesIO(b"one\ntwo\nthr\xe9e\nfour\n"))  # type: ignore[type-var]  # typeshed wants raw
    chunks = command.stream_lines(source)
    assert next(chunks) == ["one", "two"]
    with pytest.raises(UserError, match="Line 3 of the input is not UTF-8: byte 0xe9 at position 4"):
        next(chunks)


def test_input_that_is_not_utf8_ends_the_command_with_code_2(run: Run, folder: Path) -> None:
    code, out, err = run(b"eins zwei\ndr\xff\n")
    assert (code, out) == (2, expected(folder, ["eins zwei"]))
    assert err.startswith("error: Line 2 of the input is not UTF-8")


def test_a_folder_that_is_no_model_ends_the_command_with_code_2(run: Run, tmp_path: Path) -> None:
    code, out, err = run("eins", model=tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        f"error: {tmp_path} is not a model folder: it has no config.json. "
        "Copy the folder again from where it was made, or train the model again.\n"
    )


def test_a_setting_out_of_range_ends_the_command_with_code_2(run: Run) -> None:
    code, _, err = run("eins", "--beam-size", "0")
    assert code == 2
    assert "evaluation.beam_size" in err
    assert "Traceback" not in err


def test_the_traceback_is_shown_when_asked_for(run: Run, tmp_path: Path) -> None:
    err = run("eins", "--traceback", model=tmp_path)[2]
    assert "Traceback" in err
    assert "ModelError" in err


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: object) -> None:
        raise error

    return fail


def test_what_the_person_cannot_mend_ends_the_command_with_code_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "translate", failing(SourceUnavailable("the disk is gone")))
    assert run("eins") == (1, "", "error: the disk is gone\n")


def test_what_was_not_foreseen_is_one_message_and_code_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "translate", failing(ValueError("seven")))
    code, out, err = run("eins")
    assert (code, out) == (1, "")
    assert err.startswith("error: ValueError: seven\n")
    assert "Traceback" not in err


def test_an_interrupt_ends_the_command_quietly_with_code_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "translate", failing(KeyboardInterrupt()))
    assert run("eins") == (130, "", "")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_reader_that_goes_away_ends_the_command_quietly(folder: Path, processes: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    finished = subprocess.run(
        [sys.executable, "-m", "seq2seq", "translate", str(folder), "--threads", "1", "--processes", processes],
        input=b"eins\n",
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (finished.returncode, finished.stderr) == (141, b"")


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main([])
    assert "translate" in capsys.readouterr().err


def test_int8_says_on_standard_error_what_it_costs(run: Run, folder: Path, tmp_path: Path) -> None:
    measured = tmp_path / "measured"
    shutil.copytree(folder, measured)
    scores = {"bleu": 42.24, "int8": {"bleu": 42.1, "difference": -0.14}}
    text = scores_json(validate_config({"corpus": {"kind": "files", "test": "news"}}), scores)
    (measured / SCORES).write_text(text, encoding="utf-8")
    code, out, err = run("eins zwei", "--int8", model=measured)
    assert (code, out.count("\n")) == (0, 1)
    assert err == "int8: BLEU 42.1 instead of 42.2 (-0.1) on news\n"


def test_int8_says_so_where_its_cost_was_not_measured(run: Run, folder: Path) -> None:
    code, out, err = run("eins zwei", "--int8")
    assert (code, out.count("\n")) == (0, 1)
    assert "not measured for this model; `python -m flows train` measures it" in err
    assert run("eins zwei", "--precision", "int8")[1] == out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk without space")
def test_a_full_disk_is_one_message_and_exit_code_2(folder: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "seq2seq", "translate", str(folder), "--threads", "1", "--device", "cpu"],
            input=b"eins zwei\n",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert done.returncode == 2
    assert done.stderr.decode() == ("error: the output, or a temporary file, could not be written: the disk is full.\n")


def test_the_best_translations_are_a_table(run: Run, folder: Path) -> None:
    lines = LINES * 9
    found = Translator.load(folder, RuntimeSettings(threads=1, device="cpu")).n_best(lines, 3, 4, 0.5)
    code, table, told = run("\n".join(lines), "--n-best", "3", "--beam-size", "4", "--length-penalty", "0.5")
    rows = [line.split("\t") for line in table.splitlines()]

    assert (code, told) == (0, "")
    assert [(int(number), text) for number, _, text in rows] == [
        (number, best.text) for number, several in enumerate(found, 1) for best in several
    ]
    assert [float(score) for _, score, _ in rows] == pytest.approx(
        [best.score for several in found for best in several], abs=1e-4
    )
    assert {len(several) for several in found} == {1, 3}  # the empty line has one


def test_more_best_translations_than_the_beam_is_wide_are_refused(run: Run) -> None:
    code, out, told = run("eins", "--n-best", "6")

    assert (code, out) == (2, "")
    assert "n_best may be 1 to beam_size (5), not 6" in told


def test_lines_are_decoded_as_the_model_was_scored_unless_told_otherwise(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    scored = tmp_path / "scored"
    shutil.copytree(folder, scored)
    greedily = validate_config({"evaluation": {"beam_size": 1, "length_penalty": 0.0}})
    (scored / PIPELINE).write_text(pipeline_json(greedily), encoding="utf-8")
    text = "\n".join(LINES)

    assert run(text, model=scored)[1] == expected(folder, LINES, beam_size=1) != expected(folder, LINES)
    assert run(text, "--beam-size", "5", model=scored)[1] == expected(folder, LINES, length_penalty=0)
    (scored / PIPELINE).write_text("{", encoding="utf-8")
    assert run(text, model=scored)[1] == expected(folder, LINES)


def test_a_text_file_beside_the_model_is_told_where_text_comes_from(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "in.txt"
    text.write_text("eins\n", encoding="utf-8")

    assert command.main(["translate", str(folder), str(text)]) == 2

    assert f"{text} is a file, and not a further model" in (told := capsys.readouterr().err)
    assert f"translate {folder} < {text}" in told
