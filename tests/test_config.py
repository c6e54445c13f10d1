"""Configurations: presets, files, single settings, and what is said about wrong ones."""

import errno
import os
from pathlib import Path

import pytest

from seq2seq.config import Config, load_config, preset_names
from seq2seq.errors import ConfigError
from seq2seq.workspace.report import config_digest

SECTIONS = [name for name in Config.model_fields if name != "name"]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid_and_carries_its_name(name: str) -> None:
    assert load_config(name).name == name


def test_settings_are_laid_over_the_file() -> None:
    config = load_config("demo", ["training.learning_rate=0.5", "corpus.kind=files", "vocabulary.joint=true"])

    assert config.training.learning_rate == 0.5
    assert config.corpus.kind == "files"
    assert config.vocabulary.joint is True


def test_words_need_no_quotes_and_empty_text_is_text() -> None:
    config = load_config("demo", ["corpus.test=", 'name="my model"'.replace(" ", "-")])

    assert (config.corpus.test, config.name) == ("", "my-model")


def test_a_file_that_may_not_be_read_is_a_wrong_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: str) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    (tmp_path / "my.toml").touch()
    monkeypatch.setattr(Path, "read_text", refuse)

    with pytest.raises(ConfigError, match=r"my\.toml cannot be read: Permission denied"):
        load_config(str(tmp_path / "my.toml"))


@pytest.mark.parametrize("text", ["2016", "1.0", "nan", "2026-11-27", "true"])
def test_what_looks_like_a_number_or_a_date_is_text_where_text_is_wanted(text: str) -> None:
    config = load_config("multi30k", [f"name={text}", f"corpus.test={text}", f'corpus.revision="{text}"'])

    assert (config.name, config.corpus.test, config.corpus.revision) == (text, text, text)


def test_a_directory_counts_from_the_file_that_names_it_and_from_here_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "mine.toml").write_text('[corpus]\nkind = "files"\ndirectory = "../data"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert load_config("conf/mine.toml").corpus.directory == str(tmp_path / "data")
    for given in ("other", '"other"', "'other'"):
        assert load_config("conf/mine.toml", [f"corpus.directory={given}"]).corpus.directory == str(tmp_path / "other")
    assert load_config("conf/mine.toml", ["corpus.directory="]).corpus.directory == ""


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "mine.toml").write_text('[corpus]\nkind = "files"\ndirectory = "~/texts"\n', encoding="utf-8")
    mine = str(tmp_path / "mine.toml")

    assert load_config(mine).corpus.directory == str(tmp_path / "home" / "texts")
    assert load_config(mine, ["corpus.directory=~/other"]).corpus.directory == str(tmp_path / "home" / "other")


def test_a_file_without_a_name_is_called_after_itself(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text("[training]\nseed = 3\n", encoding="utf-8")

    assert load_config(str(tmp_path / "small.toml")).name == "small"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("training.learning_rat=1", "training.learning_rat: no such setting; did you mean learning_rate?"),
        ("trainig.seed=1", "trainig: no such setting; did you mean training?"),
        ("learning_rate=1", "learning_rate: no such setting; did you mean training.learning_rate?"),
        ("model.learning_rate=1", "model.learning_rate: no such setting; did you mean training.learning_rate?"),
        ("dropout=0.1", "dropout: no such setting; did you mean model.dropout?"),
        ("corpus.train=", "corpus: train is empty: name the split to learn from"),
        (
            "corpus.source_language=german",
            "'german' does not fit. Code of the language to translate from: two",
        ),
        ('corpus.sha256={"a.zip"="12"}', "corpus.sha256.a.zip: '12' does not fit. url: SHA-256 by file name"),
        (
            "corpus.directory=texts",
            "directory is set, and kind = demo does not read it: set corpus.kind = files",
        ),
        ("corpus.address=http://a/b.zip", "address is set, and kind = demo does not read it: set corpus.kind = url"),
        ("training.learning_rate=2", "training.learning_rate: Input should be less than or equal to 1, not 2"),
        ("training.seed=many", "training.seed: Input should be a valid integer"),
        ("corpus.kind=tape", "corpus.kind: Input should be 'demo', 'files', 'hub' or 'url', not 'tape'"),
        ("name=a/b", "name: 'a/b' does not fit. Name of the model's folder and of its runs: letters, digits"),
        ("name.first=a", "name is a setting, not a section"),
        ("training.seed", "--set training.seed: write section.field=value"),
        ("=1", "--set =1: write section.field=value"),
    ],
)
def test_a_wrong_setting_is_named_with_the_way_out(setting: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config("demo", [setting])

    assert told in str(raised.value)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize(
    "setting",
    [
        f"{section}.{name}"
        for section in SECTIONS
        for name, field in type(Config().section(section)).model_fields.items()
        if field.annotation is float
    ],
)
def test_a_setting_that_is_a_number_is_finite(setting: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{setting}: Input should be a finite number, not {value}"):
        load_config("demo", [f"{setting}={value}"])


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"demo: 2 wrong settings:"):
        load_config("demo", ["training.seed=-1", "model.dropout=1"])


def test_an_unknown_preset_gets_the_nearest_one_and_all_of_them() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean demo\? Presets: .*demo"):
        load_config("dem")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("\ufeff[training]\nseed = 3\n", encoding="utf-8")

    assert load_config(str(path)).training.seed == 3


@pytest.mark.parametrize("content", [b"[corpus", b"\xff\xfe", b"corpus = 1\ncorpus = 2\n"])
def test_a_file_that_is_not_toml_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"bad.toml is not valid TOML"):
        load_config(str(path))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_has_a_description_and_a_default(section: str) -> None:
    for name, field in type(Config().section(section)).model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


@pytest.mark.parametrize(
    ("setting", "same"),
    [
        ("runtime.threads=2", True),
        ("name=other", True),
        ("promotion.level=0.1", True),
        ("corpus.directory=elsewhere", True),
        ("training.seed=9", False),
    ],
)
def test_the_digest_is_that_of_what_shapes_the_result(setting: str, same: bool) -> None:
    configs = [load_config("demo", ["corpus.kind=files", "corpus.directory=here", *more]) for more in ((), (setting,))]

    assert len(set(map(config_digest, configs))) == (1 if same else 2)


def test_a_file_on_top_of_a_preset_says_only_what_is_different(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    text = 'preset = "multi30k"\n[corpus]\nkind = "files"\ndirectory = "texts"\n[training]\nmax_minutes = 10\n'
    mine.write_text(text, encoding="utf-8")
    preset, config = load_config("multi30k"), load_config(str(mine), ["model.dropout=0.2"])

    assert config.name == "mine"
    read = {"kind": "files", "directory": str(tmp_path / "texts"), "dataset": ""}
    assert preset.corpus.dataset
    assert config.corpus == preset.corpus.model_copy(update=read)
    assert config.training == preset.training.model_copy(update={"max_minutes": 10})
    assert config.model == preset.model.model_copy(update={"dropout": 0.2})
    assert config.vocabulary == preset.vocabulary != Config().vocabulary


def test_a_model_of_a_web_corpus_can_be_scored_on_files() -> None:
    made_with = {
        "corpus": {"kind": "url", "address": "https://example.org/{split}.tsv", "sha256": {"test.tsv": "0" * 64}}
    }

    corpus = load_config("a model", ["corpus.kind=files", "corpus.directory=texts"], base=made_with).corpus

    assert (corpus.address, corpus.sha256, Path(corpus.directory).name) == ("", {}, "texts")


@pytest.mark.parametrize("preset", ['"multi30"', "3", '["demo"]'])
def test_a_file_on_top_of_no_preset_is_told_which_there_are(preset: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"preset = {preset}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"mine\.toml: there is no preset .*Presets: demo, multi30k"):
        load_config(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(("language", "wanted"), [("ja", "to char"), ("zh-Hans", "to zh or char"), ("TH", "to char")])
def test_bleu_of_a_language_without_spaces_has_to_count_something_else(language: str, wanted: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config("demo", [f"corpus.target_language={language}"])
    into, both = (
        f"corpus.target_language={language}",
        ("training.bleu_tokenizer=char", "evaluation.bleu_tokenizer=char"),
    )

    assert f"cuts words at spaces, and {language} is written without: set training.bleu_tokenizer" in str(refused.value)
    assert str(refused.value).count(wanted) == 2
    assert load_config("demo", [into, *both]).evaluation.bleu_tokenizer == "char"
    assert load_config("demo", [f"corpus.source_language={language}"]).evaluation.bleu_tokenizer == "13a"
