import errno
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq.corpora.files import identity, locate, read
from seq2seq.errors import ConfigError, CorpusError
from seq2seq.settings.corpus import CorpusSettings

SHARED = Path(__file__).parents[3] / "shared" / "corpora" / "multi30k"


def settings_for(folder: Path, **changes: Any) -> CorpusSettings:
    values = {"kind": "files", "source_language": "de", "target_language": "en", "directory": str(folder)}
    return CorpusSettings.model_validate(values | {"valid": "", "test": ""} | changes)


def write(folder: Path, **files: str | bytes) -> Path:
    """Write files called like the keywords, with a dot for each double underscore."""
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def rows(folder: Path, split: str = "train", **changes: Any) -> list[list[str]]:
    return read(settings_for(folder, **changes))[split].frame.to_numpy().tolist()


def test_aligned_files_pair_line_by_line(tmp_path: Path) -> None:
    write(tmp_path, train__de="eins\nzwei\n", train__en="one\ntwo\n")
    assert rows(tmp_path) == [["eins", "one"], ["zwei", "two"]]


def test_a_packed_side_pairs_with_a_plain_one(tmp_path: Path) -> None:
    write(tmp_path, train__de="eins\n", train__en__gz=gzip.compress(b"one\n"))
    assert rows(tmp_path) == [["eins", "one"]]


def test_a_blank_line_keeps_its_place(tmp_path: Path) -> None:
    write(tmp_path, train__de="eins\n\ndrei\n", train__en="one\ntwo\nthree\n")
    assert rows(tmp_path) == [["eins", "one"], ["", "two"], ["drei", "three"]]


def test_the_languages_go_along_with_the_pairs(tmp_path: Path) -> None:
    pairs = read(settings_for(write(tmp_path, train__de="eins\n", train__en="one\n")))["train"]
    assert (pairs.source_language, pairs.target_language) == ("de", "en")


def test_only_the_splits_that_were_asked_for_are_read(tmp_path: Path) -> None:
    write(tmp_path, train__de="eins\n", train__en="one\n", test__de="zwei\n", test__en="two\n")
    assert list(read(settings_for(tmp_path, train="", test="test"))) == ["test"]


@pytest.mark.parametrize("there", ["valid", "validation", "val", "dev"])
@pytest.mark.parametrize("asked", ["valid", "validation", "val", "dev"])
def test_the_validation_split_is_found_under_its_usual_names(tmp_path: Path, asked: str, there: str) -> None:
    write(tmp_path, **{f"{there}__de": "eins\n", f"{there}__en": "one\n"})
    assert rows(tmp_path, "valid", train="", valid=asked) == [["eins", "one"]]


def test_the_validation_split_by_its_own_name_comes_first(tmp_path: Path) -> None:
    write(tmp_path, dev__de="zwei\n", dev__en="two\n", val__de="eins\n", val__en="one\n")
    assert rows(tmp_path, "valid", train="", valid="dev") == [["zwei", "two"]]


def test_no_other_split_has_aliases(tmp_path: Path) -> None:
    write(tmp_path, validation__de="eins\n", validation__en="one\n")
    with pytest.raises(CorpusError, match=r"Stems there: validation\. Set corpus\.test"):
        locate(settings_for(tmp_path, train="", test="test"))


def test_without_a_directory_the_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"needs corpus\.directory"):
        locate(CorpusSettings(kind="files"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere is not a folder: set corpus\.directory"):
        locate(settings_for(tmp_path / "nowhere"))


def test_a_missing_stem_lists_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, training__de="eins\n", training__en="one\n", test__tsv="de\ten\n")
    with pytest.raises(CorpusError, match=r"has no train\.de .* Stems there: test, training\. Set corpus\.train"):
        locate(settings_for(tmp_path))


def test_a_folder_of_other_files_lists_them(tmp_path: Path) -> None:
    write(tmp_path, notes__txt="hello")
    with pytest.raises(CorpusError, match=r"Files there: notes\.txt\."):
        locate(settings_for(tmp_path))


@pytest.mark.parametrize(
    ("names", "links"),
    [
        (["english.txt", "finnish.txt"], "ln -s finnish.txt train.fi and ln -s english.txt train.en"),
        (["english.txt.gz", "suomi 1.txt"], "ln -s 'suomi 1.txt' train.fi and ln -s english.txt.gz train.en.gz"),
        (["pairs.txt"], "ln -s FILE train.fi and ln -s FILE train.en"),
        (["a.txt", "b.txt", "english.txt"], "ln -s FILE train.fi and ln -s english.txt train.en"),
        (["train.EN", "train.FI"], "ln -s train.FI train.fi and ln -s train.EN train.en"),
        (["train.en.txt", "train.fi.txt.gz"], "ln -s train.fi.txt.gz train.fi.gz and ln -s train.en.txt train.en"),
        (["Corpus.En.txt", "Corpus.Fi.txt"], "ln -s Corpus.Fi.txt train.fi and ln -s Corpus.En.txt train.en"),
    ],
)
def test_files_with_names_of_their_own_are_told_how_to_be_named(tmp_path: Path, names: list[str], links: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(CorpusError) as caught:
        locate(settings_for(tmp_path, source_language="fi"))
    assert str(caught.value).endswith(
        f" Files there: {', '.join(names)}. A text file is named STEM.LANGUAGE: rename or link what is there, for "
        f"example {links}."
    )


def test_texts_that_are_packed_otherwise_are_unpacked(tmp_path: Path) -> None:
    for name in ("train.de.xz", "train.en.bz2", "valid.de", "valid.en"):
        (tmp_path / name).touch()
    with pytest.raises(
        CorpusError,
        match=r"unpack .*, for example xz -dc train\.de\.xz > train\.de and bzip2 -dc train\.en\.bz2 > train\.en\.$",
    ):
        locate(settings_for(tmp_path))


def test_a_file_in_other_case_is_named_though_other_splits_are_in_order(tmp_path: Path) -> None:
    for name in ("train.DE", "train.EN", "valid.de", "valid.en"):
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=r"ln -s train\.DE train\.de and ln -s train\.EN train\.en\.$"):
        locate(settings_for(tmp_path))


def test_a_folder_without_files_asks_for_another(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"Files there: none\. Set corpus\.directory to the folder that holds them\."):
        locate(settings_for(tmp_path))


def test_a_lone_side_names_the_missing_one(tmp_path: Path) -> None:
    write(tmp_path, train__en="one\n")
    with pytest.raises(CorpusError, match=r"has train\.en but no train\.de: both sides are needed, line by line\.$"):
        locate(settings_for(tmp_path))
    write(tmp_path, train__DE="eins\n", train__en__bak="one\n")
    with pytest.raises(CorpusError, match=r"line by line; for example ln -s train\.DE train\.de\.$"):
        locate(settings_for(tmp_path))


@pytest.mark.parametrize("second", ["train__tsv", "train__de__gz"])
def test_two_candidates_for_one_stem_are_refused(tmp_path: Path, second: str) -> None:
    write(tmp_path, train__de="eins\n", train__en="one\n", **{second: b""})
    with pytest.raises(CorpusError, match=r"has 2 corpora called train: .* Leave one of them"):
        locate(settings_for(tmp_path))


def test_unequal_line_counts_say_where_the_lengths_part(tmp_path: Path) -> None:
    source = [f"{'wort ' * (1 + 7 * number % 23)}." for number in range(60)]
    target = [f"{'word ' * (1 + 7 * number % 23)}." for number in range(60) if number != 29]
    write(tmp_path, train__de="\n".join(source) + "\n", train__en="\n".join(target) + "\n")
    with pytest.raises(CorpusError) as caught:
        read(settings_for(tmp_path))
    assert str(caught.value) == (
        f"train.de has 60 lines and train.en 59: pairs must be line by line. "
        f"The lengths part near line 30 (in {tmp_path})."
    )


def test_unequal_line_counts_of_unlike_texts_do_not_guess_a_place(tmp_path: Path) -> None:
    write(tmp_path, train__de="eins\nzwei\n", train__en="one\n")
    with pytest.raises(CorpusError, match=r"train\.de has 2 lines and train\.en 1: pairs must be line by line \(in"):
        read(settings_for(tmp_path))


def test_an_empty_side_is_named(tmp_path: Path) -> None:
    write(tmp_path, train__de="", train__en="one\ntwo\n")
    with pytest.raises(CorpusError, match=r"train\.de is empty, and train\.en has 2 lines"):
        read(settings_for(tmp_path))


@pytest.mark.parametrize("files", [{"train__de": "", "train__en": ""}, {"train__tsv": "de\ten\n"}])
def test_a_split_without_pairs_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(CorpusError, match=r"no sentence pair in .*train\.\w+.*: the train split needs at least one"):
        read(settings_for(write(tmp_path, **files)))


def test_a_table_stands_for_both_sides(tmp_path: Path) -> None:
    write(tmp_path, train__tsv="en\tde\none\teins\n")
    assert rows(tmp_path) == [["eins", "one"]]


def test_the_identity_depends_on_content_and_not_on_place(tmp_path: Path) -> None:
    identities = []
    for folder, text in (("a", "one\n"), ("b", "one\n"), ("c", "two\n")):
        (tmp_path / folder).mkdir()
        identities.append(identity(settings_for(write(tmp_path / folder, train__de="eins\n", train__en=text))))
    assert identities[0] == identities[1] != identities[2]
    assert str(tmp_path) not in str(identities[0])


def test_exchanged_sides_are_another_corpus(tmp_path: Path) -> None:
    write(tmp_path, train__de="eins\n", train__en="one\n")
    there = identity(settings_for(tmp_path))
    assert there != identity(settings_for(tmp_path, source_language="en", target_language="de"))


def test_columns_are_part_of_the_identity_of_tables_only(tmp_path: Path) -> None:
    write(tmp_path, train__de="eins\n", train__en="one\n", test__csv="de,en,orig\neins,one,un\n")
    chosen = {"source_column": "orig"}
    assert identity(settings_for(tmp_path)) == identity(settings_for(tmp_path, **chosen))
    tables = {"train": "", "test": "test"}
    assert identity(settings_for(tmp_path, **tables)) != identity(settings_for(tmp_path, **tables, **chosen))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real text beside the checkout")
def test_real_text_is_read_as_it_is() -> None:
    pairs = read(settings_for(SHARED, train="", valid="valid", test="test_2016_flickr"))
    assert {split: len(one.frame) for split, one in pairs.items()} == {"valid": 1014, "test": 1000}
    lines = (SHARED / "valid.de").read_text(encoding="utf-8").split("\n")
    assert pairs["valid"].frame["source"].tolist() == lines[:1014]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    write(tmp_path, train__de="eins\n", train__en="one\n")
    monkeypatch.setattr("seq2seq.corpora.files.file_sha256", refuse)
    with pytest.raises(CorpusError, match=r"train\.de may not be read by this user"):
        identity(settings_for(tmp_path))


@pytest.mark.parametrize("ask", [identity, read])
def test_a_folder_that_may_not_be_searched_is_named(
    ask: Callable[[CorpusSettings], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(CorpusError, match=rf"{tmp_path}/train\.tsv may not be read by this user"):
        ask(settings_for(tmp_path))
