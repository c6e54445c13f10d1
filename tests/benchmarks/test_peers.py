"""What can be said of the comparison with other toolkits without them."""

import os
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models

from benchmarks.decoding_speed import widths
from benchmarks.peers.corpus import detokenized
from benchmarks.peers.drive_limit import PRODUCTS
from benchmarks.peers.install import without_lines
from benchmarks.peers.systems import SYSTEMS, at_sizes, chosen
from benchmarks.peers.turns import Driver, Job
from benchmarks.timing import CHECKOUT
from benchmarks.training_memory import family
from benchmarks.training_speed import MEGAFLOP_PER_TOKEN, share
from seq2seq.errors import ConfigError
from seq2seq.peak_memory import vm_hwm_kibibytes

TRAINING = """
from benchmarks.peers.turns import TrainingTurns, read_job

turns = TrainingTurns(lambda path: path.write_text("weights"))
print("what a toolkit prints is no answer")
while True:
    turns.count(7)
    turns.count(5)
    turns.updated()
"""


@pytest.fixture
def training(tmp_path: Path) -> Driver:
    """A training whose updates take no time and learn from 12 tokens each."""
    job = Job("toy", "", str(tmp_path / "toy"))
    return Driver([sys.executable, "-c", TRAINING], job, {"PYTHONPATH": str(CHECKOUT)})


def test_a_training_works_only_while_it_has_the_turn_and_counts_its_tokens(training: Driver, tmp_path: Path) -> None:
    assert training.answer() == {"ready": True}
    for updates in (3, 5):
        turn = training.ask(seconds=0.0, updates=updates)
        assert (turn["updates"], turn["tokens"]) == (updates, 12 * updates)
    training.ask(save=str(tmp_path / "model"))
    assert (tmp_path / "model").read_text() == "weights"
    training.end()
    assert "no answer" in training.log.read_text()


def test_a_driver_that_fails_says_so_with_the_end_of_its_log(tmp_path: Path) -> None:
    driver = Driver([sys.executable, "-c", "raise SystemExit('no such model')"], Job("toy", "", str(tmp_path)), {})
    with pytest.raises(RuntimeError, match="no such model"):
        driver.answer()


def test_subwords_of_another_toolkit_become_text_again(tmp_path: Path) -> None:
    words = ["<pad>", "<unk>", "<s>", "</s>", "▁A", "▁man", "n", "."]
    tokenizer = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("<unk>", "⁇"), decoders.Metaspace("▁", "always")])
    tokenizer.save(str(tmp_path / "tokenizer.trg.json"))
    assert detokenized(tmp_path, ["▁A ▁man n .", "▁A never-seen", ""]) == ["A mann.", "A⁇", ""]


def test_an_edit_that_does_not_fit_the_installed_version_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "builders.py"
    path.write_text('kwargs = {\n    "verbose": False,\n    "eps": 0.0,\n}\n')
    without_lines(path, r'^\s*"verbose": False,\n')
    assert path.read_text() == 'kwargs = {\n    "eps": 0.0,\n}\n'
    with pytest.raises(RuntimeError, match="not the version"):
        without_lines(path, r'^\s*"verbose": False,\n')


def test_the_limit_has_the_products_of_45_megaflop_a_token() -> None:
    multiplications = sum(inner * outer for inner, outer in PRODUCTS)
    assert 3 * 2 * multiplications / 1e6 == pytest.approx(MEGAFLOP_PER_TOKEN, abs=0.5)


def test_a_share_is_of_the_limit_in_the_same_precision() -> None:
    medians = {"ours": 1000.0, "ours-bf16": 2000.0, "limit": 2000.0, "limit-bf16": 5000.0}
    assert [share(medians, name, SYSTEMS[name]) for name in medians] == ["50%", "40%", "90 GFLOP/s", "225 GFLOP/s"]


def test_systems_are_named_and_tried_at_several_sizes() -> None:
    assert [system.batch for system in at_sizes(chosen(["ours", "eole"]), [10, 20]).values()] == [10, 20, 10, 20]
    with pytest.raises(ConfigError, match="no such system: marian"):
        chosen(["ours", "marian"])
    assert widths(SYSTEMS["tutorial"]) == (1,)


def test_peak_memory_counts_a_process_and_its_children(tmp_path: Path) -> None:
    assert vm_hwm_kibibytes("Name:\tpython\nVmPeak:\t   9 kB\nVmHWM:\t  1234 kB\n") == 1234
    script = "import subprocess; child = subprocess.Popen(['cat']); print('{}', flush=True); child.wait()"
    driver = Driver([sys.executable, "-c", script], Job("toy", "", str(tmp_path)), {"PATH": "/usr/bin:/bin"})
    try:
        assert driver.answer() == {}
        assert len(list(family(driver.process.pid))) == 2
    finally:
        driver.end()


def test_a_job_survives_the_command_line(tmp_path: Path) -> None:
    job = Job("eole", "text", str(tmp_path), precision="bf16", input_feeding=True, batch=7)
    script = "import json; from benchmarks.peers.turns import read_job; print(json.dumps(vars(read_job())))"
    driver = Driver([sys.executable, "-c", script], job, {**os.environ, "PYTHONPATH": str(CHECKOUT)})
    try:
        assert driver.answer() == vars(job)
    finally:
        driver.end()
