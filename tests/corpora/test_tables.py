import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from seq2seq.corpora.tables import read_table, sides_of_arrow
from seq2seq.errors import CorpusError
from seq2seq.settings.corpus import CorpusSettings


def settings_with(**columns: Any) -> CorpusSettings:
    return CorpusSettings(kind="files", source_language="de", target_language="en", **columns)


def sides(folder: Path, suffix: str, content: str | bytes, **columns: Any) -> tuple[list[str], list[str]]:
    path = folder / f"train{suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    source, target = read_table(path, suffix.removesuffix(".gz"), settings_with(**columns))
    return list(source), list(target)


def parquet_of(columns: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


TABLES = {
    ".tsv": "id\ten\tde\n1\tone\teins\n2\ttwo\tzwei\n",
    ".csv": 'id,en,de\r\n1,"one",eins\r\n2,two,"zwei"\r\n',
    ".jsonl": '{"en": "one", "de": "eins"}\n\n{"de": "zwei", "en": "two", "id": 2}\n',
    ".parquet": parquet_of({"id": [1, 2], "en": ["one", "two"], "de": ["eins", "zwei"]}),
}
TRANSLATION = [{"en": "one", "de": "eins"}, {"en": "two", "de": "zwei"}]


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize("packed", [False, True])
def test_columns_are_found_by_name_in_every_form(tmp_path: Path, suffix: str, packed: bool) -> None:
    content = TABLES[suffix].encode() if isinstance(TABLES[suffix], str) else TABLES[suffix]
    found = sides(tmp_path, suffix + ".gz", gzip.compress(content)) if packed else sides(tmp_path, suffix, content)
    assert found == (["eins", "zwei"], ["one", "two"])


def test_columns_can_have_other_names_than_the_languages(tmp_path: Path) -> None:
    found = sides(tmp_path, ".csv", "a,b\none,eins\n", source_column="b", target_column="a")
    assert found == (["eins"], ["one"])


@pytest.mark.parametrize(("suffix", "separator"), [(".tsv", "\t"), (".csv", ",")])
@pytest.mark.parametrize("numbers", [(3, 1), ("3", "1")])
def test_without_a_row_of_names_columns_go_by_number(
    tmp_path: Path, suffix: str, separator: str, numbers: tuple[Any, Any]
) -> None:
    content = "".join(separator.join(row) + "\n" for row in (["one", "x", "eins"], ["two", "y", "zwei"]))
    columns = dict(zip(("source_column", "target_column"), numbers, strict=True))
    assert sides(tmp_path, suffix, content, **columns) == (["eins", "zwei"], ["one", "two"])


def test_a_column_may_be_called_by_a_number(tmp_path: Path) -> None:
    assert sides(tmp_path, ".csv", "2,1\none,eins\n", source_column=1, target_column=2) == (["eins"], ["one"])


def test_a_number_beyond_the_columns_is_an_error_that_says_how_many_there_are(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has no column 3; it has: 1, 2\."):
        sides(tmp_path, ".tsv", "one\teins\n", source_column=2, target_column=3)


@pytest.mark.parametrize(("suffix", "separator"), [(".tsv", "\t"), (".csv", ",")])
def test_a_column_that_is_read_is_there_once(tmp_path: Path, suffix: str, separator: str) -> None:
    content = "".join(separator.join(row) + "\n" for row in (["de", "en", "id", "id"], ["eins", "one", "1", "2"]))
    assert sides(tmp_path, suffix, content) == (["eins"], ["one"])
    with pytest.raises(CorpusError, match=rf"train\{suffix} has more than one column en: "):
        sides(tmp_path, suffix, content.replace("id", "en", 1))


def test_a_row_of_text_in_the_place_of_names_is_thought_of(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"it has: one, eins\..* no row of names: set them to the columns' numbers"):
        sides(tmp_path, ".tsv", "one\teins\ntwo\tzwei\n")
    with pytest.raises(CorpusError, match=r"it has: de;en\..* of a \.csv at commas"):
        sides(tmp_path, ".csv", "de;en\neins;one\n")
    with pytest.raises(CorpusError, match=r"row 2 has 2 cells and the first row 1: .* not ','\?"):
        sides(tmp_path, ".csv", "de;en\neins, zwei;one\n")


def test_a_translation_column_is_read_by_language(tmp_path: Path) -> None:
    lines = '{"translation": {"en": "one", "de": "eins"}}\n{"translation": null}\n{"translation": {"de": "zwei"}}\n'
    assert sides(tmp_path, ".jsonl", lines) == (["eins", "", "zwei"], ["one", "", ""])
    packed = parquet_of({"translation": [TRANSLATION[0], None, {"de": "zwei"}]})
    assert sides(tmp_path, ".parquet", packed) == (["eins", "", "zwei"], ["one", "", ""])


def test_flat_columns_go_before_a_translation_column(tmp_path: Path) -> None:
    line = '{"de": "flach", "en": "flat", "translation": {"de": "tief", "en": "deep"}}\n'
    assert sides(tmp_path, ".jsonl", line) == (["flach"], ["flat"])


def test_a_tab_separated_cell_may_hold_quotes(tmp_path: Path) -> None:
    assert sides(tmp_path, ".tsv", 'de\ten\n"Nein", sagt er\t"No" he says\n') == (['"Nein", sagt er'], ['"No" he says'])


def test_a_comma_separated_cell_may_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    text = 'de,en\n"eins, ""zwei""\nund drei",one\n'
    assert sides(tmp_path, ".csv", text) == (['eins, "zwei"\nund drei'], ["one"])


@pytest.mark.parametrize("word", ["null", "NA", "NaN", "None", ""])
def test_words_that_elsewhere_mean_missing_are_text(tmp_path: Path, word: str) -> None:
    assert sides(tmp_path, ".csv", f"de,en\n{word},zero\n") == ([word], ["zero"])


def test_missing_cells_are_empty_sentences(tmp_path: Path) -> None:
    assert sides(tmp_path, ".tsv", "de\ten\neins\n") == (["eins"], [""])
    assert sides(tmp_path, ".jsonl", '{"de": "eins", "en": null}\n{"en": NaN, "de": "zwei"}\n')[1] == ["", ""]
    assert sides(tmp_path, ".parquet", parquet_of({"de": ["eins"], "en": [None]})) == (["eins"], [""])


@pytest.mark.parametrize(("suffix", "separator"), [(".tsv", "\t"), (".csv", ",")])
def test_a_blank_line_is_no_pair(tmp_path: Path, suffix: str, separator: str) -> None:
    content = f"\nde{separator}en\neins{separator}one\n\n{separator}two\n \n"
    assert sides(tmp_path, suffix, content) == (["eins", ""], ["one", "two"])
    with pytest.raises(CorpusError, match="row 4 has 3 cells"):
        sides(tmp_path, suffix, f"de{separator}en\n\n\na{separator}b{separator}c\n")


def test_dictionary_encoded_text_is_text() -> None:
    table = pa.table({"de": pa.array(["eins", "eins"]).dictionary_encode(), "en": ["one", None]})
    assert sides_of_arrow(table, settings_with(), "table") == (["eins", "eins"], ["one", ""])


@pytest.mark.parametrize("suffix", TABLES)
def test_a_missing_column_lists_those_that_are_there(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(CorpusError, match=r"has no column deutsch; it has: .*\bde\b.* Set corpus\.source_column"):
        sides(tmp_path, suffix, TABLES[suffix], source_column="deutsch")


def test_a_missing_language_in_a_translation_column_lists_those_that_are_there(tmp_path: Path) -> None:
    message = r"column translation, has no column de; it has: fr, en\."
    with pytest.raises(CorpusError, match=message):
        sides(tmp_path, ".jsonl", '{"translation": {"fr": "un", "en": "one"}}\n')
    with pytest.raises(CorpusError, match=message):
        sides(tmp_path, ".parquet", parquet_of({"translation": [{"fr": "un", "en": "one"}]}))


def test_a_translation_column_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="row 1: column translation holds 'eins'"):
        sides(tmp_path, ".jsonl", '{"translation": "eins"}\n')
    with pytest.raises(CorpusError, match="column translation: it holds string"):
        sides(tmp_path, ".parquet", parquet_of({"translation": ["eins"]}))


def test_a_column_that_is_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="row 2, column en: 2 is not text"):
        sides(tmp_path, ".jsonl", '{"de": "eins", "en": "one"}\n{"de": "zwei", "en": 2}\n')
    with pytest.raises(CorpusError, match="column en holds int64, not text"):
        sides(tmp_path, ".parquet", parquet_of({"de": ["eins"], "en": [1]}))


@pytest.mark.parametrize(("suffix", "text"), [(".tsv", "de\ten\na\tb\nc\td\te\n"), (".csv", "de,en\na,b\nc,d,e\n")])
def test_a_row_with_too_many_cells_is_named(tmp_path: Path, suffix: str, text: str) -> None:
    with pytest.raises(CorpusError, match="row 3 has 3 cells and the first row 2"):
        sides(tmp_path, suffix, text)


def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path: Path) -> None:
    rows = ["de,en", *(f"x{number},y{number}" for number in range(49)), '"Er sagte,he said', *(["x,y"] * 50), 'y,a 5"']
    with pytest.raises(CorpusError, match=r"train\.csv, row 51 has 1 cell and the first row 2: a quote .* not closed,"):
        sides(tmp_path, ".csv", "\n".join(rows) + "\n\n")


def test_malformed_tables_are_located(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"line 2, is not JSON: .* at column 8"):
        sides(tmp_path, ".jsonl", '{"de": "eins", "en": "one"}\n{"de": x}\n')
    with pytest.raises(CorpusError, match="line 1, is not a JSON object"):
        sides(tmp_path, ".jsonl", '["eins", "one"]\n')
    with pytest.raises(CorpusError, match=r"line 2: .*quote cells as RFC 4180"):
        sides(tmp_path, ".csv", 'de,en\n"eins"x,one\n')
    with pytest.raises(CorpusError, match=r"train\.parquet is not a readable Parquet file"):
        sides(tmp_path, ".parquet", b"PAR1 and no more")


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    whole = parquet_of({"de": ["eins"] * 1000, "en": [f"one {number}" for number in range(1000)]})
    with pytest.raises(CorpusError, match=r"train\.parquet is not a readable Parquet file"):
        sides(tmp_path, ".parquet", whole[:4] + b"\xff" * 60 + whole[64:])


@pytest.mark.parametrize("encoded", [False, True])
def test_arrow_text_that_is_not_utf_8_is_named_with_its_row(encoded: bool) -> None:
    raw = pa.array([b"one", b"K\xe4se"]).cast(pa.binary()).view(pa.string())
    column = pa.chunked_array([raw[:1], raw[1:]])
    table = pa.table({"de": ["eins", "zwei"], "en": column.dictionary_encode() if encoded else column})
    with pytest.raises(CorpusError, match=r"table, column en, row 2 is not UTF-8: byte 0xe4 at position 2"):
        sides_of_arrow(table, settings_with(), "table")


@pytest.mark.parametrize(("value", "said"), [("1" * 5000, "5000 digits"), ("[" * 100_000, "recursion depth")])
def test_json_beyond_what_python_reads_is_located(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(CorpusError, match=f"line 2, is not JSON that can be read: .*{said}"):
        sides(tmp_path, ".jsonl", f'{{"de": "eins", "en": "one"}}\n{{"id": {value}}}\n')


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"row 1, column de: .* is half of a character"):
        sides(tmp_path, ".jsonl", '{"de": "\\ud83d", "en": "one"}\n')


def test_an_empty_table_names_no_column(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="it has: none"):
        sides(tmp_path, ".tsv", "")
