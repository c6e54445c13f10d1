import re

import pytest

from flows.__main__ import main
from seq2seq.config import Config


def test_every_setting_is_told_once_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    told = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    name, *sections = Config.model_fields
    values = Config().model_dump()
    assert told == [name, *(f"{section}.{setting}" for section in sections for setting in values[section])]


def test_a_section_is_told_with_the_values_of_a_preset_and_what_else_they_may_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["settings", "multi30k", "--section", "training", "--set", "training.warmup_steps=7"]) == 0
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert all(name.startswith("training.") for name in told)
    assert "0.005 " in told["training.learning_rate"]
    assert "number above 0 to 1 " in told["training.learning_rate"]
    assert " 7 " in told["training.warmup_steps"]
    assert '"cosine", "inverse_sqrt", "constant"' in told["training.schedule"]


def test_a_section_that_there_is_not_is_an_error_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--section", "traning"]) == 2
    assert "no section 'traning': it may be corpus, cleaning" in capsys.readouterr().err


def test_settings_count_without_a_preset_too_and_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--section", "training", "--set", "training.warmup_steps=7"]) == 0
    assert re.search(r"^training\.warmup_steps +7 ", capsys.readouterr().out, re.MULTILINE)
    assert main(["settings", "--set", "traning.warmup_steps=7"]) == 2
    assert "traning" in capsys.readouterr().err
