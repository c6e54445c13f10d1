import errno
import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.lines import read_content, read_lines, where_lengths_part
from seq2seq.errors import CorpusError


def lines_of(folder: Path, content: bytes, name: str = "text.de") -> list[str]:
    (folder / name).write_bytes(content)
    return read_lines(folder / name)


def test_line_feed_and_carriage_return_with_line_feed_end_a_line(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b"one\ntwo\r\nthree") == ["one", "two", "three"]


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r"])
def test_other_separators_are_text(tmp_path: Path, separator: str) -> None:
    assert lines_of(tmp_path, f"one{separator}two\n".encode()) == [f"one{separator}two"]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert lines_of(tmp_path, "\ufeffone\n".encode()) == ["one"]


def test_blank_lines_at_the_end_count(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b"one\n\n\n") == ["one", "", ""]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b"") == []


@pytest.mark.parametrize("text", ["one\ntwo\n", "eine Größe\nund eine Straße\n", "하나 둘.\n"])
@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE"])
def test_utf16_is_recognised_without_its_mark(tmp_path: Path, text: str, encoding: str) -> None:
    with pytest.raises(CorpusError, match=rf"text\.de is not UTF-8.*iconv -f {encoding} -t UTF-8"):
        lines_of(tmp_path, text.encode(encoding))


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE"])
def test_the_byte_order_is_told_where_most_zeros_are_those_of_characters(tmp_path: Path, encoding: str) -> None:
    """U+4E00 and U+AC00 have their zero where ends of lines have none."""
    for text in ("他一个人走了一天。\n一一一一。\n", "가가가 가지\n가\n"):
        with pytest.raises(CorpusError, match=rf"is not UTF-8: .*iconv -f {encoding}"):
            lines_of(tmp_path, text.encode(encoding))


def test_a_zero_in_a_text_is_text(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b"a\0b\nGood\n") == ["a\0b", "Good"]


def test_a_lone_carriage_return_that_ends_all_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"text\.de has no line feed.*tr '\\r' '\\n' < OLD > NEW"):
        lines_of(tmp_path, b"one\rtwo\r")
    assert lines_of(tmp_path, b"one\r") == ["one"]


@given(lines=st.lists(st.text(st.characters(exclude_characters="\0\n\r\ufeff", codec="utf-8"))))
def test_lines_come_back_as_written(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.txt.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    assert read_lines(path) == lines


def test_a_byte_that_is_not_utf8_is_located(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        lines_of(tmp_path, b"eins\nzw\xf6lf\n")
    assert str(caught.value) == (
        f"{tmp_path / 'text.de'} is not UTF-8: line 2 has byte 0xf6 at offset 7 of the file. "
        "Convert it, for example: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW."
    )


def test_utf16_is_recognised_by_its_mark(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="iconv -f UTF-16"):
        lines_of(tmp_path, "eins\n".encode("utf-16"))


@pytest.mark.parametrize("content", [gzip.compress(b"one\n" * 99, mtime=0)[:-12], b"no gzip at all", b""])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, content: bytes) -> None:
    if not content:
        content = gzip.compress(b"one")[:3]
    with pytest.raises(CorpusError, match=r"text\.gz is not a complete gzip file"):
        lines_of(tmp_path, content, "text.gz")


def test_content_of_a_plain_file_is_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")
    assert read_content(tmp_path / "x") == b"\xff"


@pytest.mark.parametrize("lost", [0, 7, 20, 38])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_lost_line_is_found_by_the_lengths(lost: int, side: str) -> None:
    lengths = [5 + number * number * 31 % 97 for number in range(40)]
    longer = ["x" * length for length in lengths]
    shorter = ["y" * (length + 1) for number, length in enumerate(lengths) if number != lost]
    place = where_lengths_part(longer, shorter) if side == "target" else where_lengths_part(shorter, longer)
    assert place is not None
    assert abs(place - (lost + 1)) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_lengths_that_have_nothing_to_do_with_each_other_name_no_place(seed: int) -> None:
    chance = random.Random(seed)
    source, target = (["x" * int(chance.lognormvariate(3.6, 0.6)) for _ in range(count)] for count in (60, 59))
    assert where_lengths_part(source, target) is None


def test_a_handful_of_lines_names_no_place() -> None:
    assert where_lengths_part(["a", "bb", "ccc"], ["a", "ccc"]) is None


def test_trouble_of_the_disk_is_not_taken_for_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        read_lines(tmp_path / "text.gz")
