import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest
import torch
from tokenizers import Tokenizer

from seq2seq import __main__ as command
from seq2seq.batching import pad_sources
from seq2seq.decoding.steps import greedy, longest_translation
from seq2seq.errors import ConfigError, ExportDiffers, ModelError, UserError
from seq2seq.export import folder as export_folder
from seq2seq.export.agreement import LENGTHS, require_equal
from seq2seq.export.folder import export_model
from seq2seq.export.graphs import flatten, rebuild
from seq2seq.export.translate import Translator as Exported
from seq2seq.models.memory import Memory, State
from seq2seq.registry.model_folder import LoadedModel, check_model, load_model
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.subwords.language_tags import language_tag
from seq2seq.subwords.special_tokens import EOS
from seq2seq.translator import Translator
from seq2seq.translator_pool import TranslatorPool
from tests.models.architectures import ARCHITECTURES
from tests.tiny import PIECES, write_tiny_model

EXPORTED = ("lecture", "general", "GRU, bidirectional, deeper decoder", "input feeding, all at once", "transformer")
"""Between them: both kinds of layers, one and two directions, no and two attentions, fed features, a growing state."""
FILES = ["README.md", "config.json", "decoder.onnx", "encoder.onnx"]
FILES += ["source_tokenizer.json", "target_tokenizer.json", "translate.py"]
LINES = ["eins zwei", "", "drei vier.", " ", "acht, sieben und sechs! eins zwei drei", "fünf"]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Folders of a model with random weights and of its export, by the name of its architecture; made once."""

    @cache
    def make(architecture: str) -> tuple[Path, Path]:
        plain = {"tie_embeddings": False, "bidirectional": False, "attention": "none"}
        model = write_tiny_model(tmp_path_factory.mktemp("model") / "model", **plain | ARCHITECTURES[architecture])
        return model, export_model(model, model.with_name("exported")).folder

    return make


@pytest.fixture(scope="module", params=EXPORTED)
def pair(request: pytest.FixtureRequest, export: Callable[[str], tuple[Path, Path]]) -> tuple[LoadedModel, Path]:
    """A model and its export."""
    model, exported = export(request.param)
    return load_model(model), exported


@pytest.fixture(scope="module")
def model_folder(export: Callable[[str], tuple[Path, Path]]) -> Path:
    return export("general")[0]


@pytest.fixture(scope="module")
def exported(export: Callable[[str], tuple[Path, Path]]) -> Path:
    return export("general")[1]


def sources(*lengths: int) -> list[list[int]]:
    draw = np.random.default_rng(sum(lengths))
    return [draw.integers(4, 4 + len(PIECES["source"]), length).tolist() for length in lengths]


def ours(loaded: LoadedModel, rows: list[list[int]]) -> list[list[int]]:
    source_BS, lengths_B = pad_sources([np.asarray(row, np.int32) for row in rows])
    limits = [longest_translation(length) for length in lengths_B.tolist()]
    return greedy(loaded.model, source_BS, lengths_B, torch.tensor(limits))


def test_onnxruntime_writes_the_same_tokens(pair: tuple[LoadedModel, Path]) -> None:
    loaded, folder = pair
    exported = Exported(folder, threads=1)
    for lengths in ((1,), (7,), (40, 1, 3, 3, 25), (6,) * 9):
        rows = sources(*lengths)
        assert exported.greedy(rows) == ours(loaded, rows)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_translator_on_the_folder_says_what_one_on_the_model_says(
    pair: tuple[LoadedModel, Path], beam_size: int
) -> None:
    """But for a sentence in twenty: a model with random weights goes on from near ties."""
    loaded, folder = pair
    draw = random.Random(beam_size)
    words = [piece.removeprefix("▁") for piece in PIECES["source"]]
    lines = [*LINES[:4], *(" ".join(draw.choices(words, k=draw.randint(1, 6))) for _ in range(76))]
    expected = Translator.of(loaded).translate(lines, beam_size)
    for threads in (1, 2):
        translator = Translator.load(folder, RuntimeSettings(threads=threads, device="cpu"))
        found = translator.translate(lines, beam_size)
        assert sum(map(str.__eq__, found, expected)) >= 76
        assert len(set(found)) > 10
        assert translator.config.model == loaded.config.model


def test_processes_translate_with_the_folder(exported: Path, model_folder: Path) -> None:
    runtime = RuntimeSettings(threads=2, processes=2, device="cpu")
    with TranslatorPool(exported, runtime) as pool:
        assert pool.translate(LINES) == Translator.load(model_folder, runtime).translate(LINES)


def test_the_translate_command_takes_the_folder(
    exported: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    translations = []
    for folder in (exported, model_folder):
        done = subprocess.run(
            [sys.executable, "-m", "seq2seq", "translate", str(folder), "--threads", "1", "--beam-size", "2"],
            input="\n".join(LINES).encode(),
            capture_output=True,
            check=True,
        )
        assert done.stderr == b""
        translations.append(done.stdout)
    assert translations[0] == translations[1]
    assert command.main(["translate", str(exported), "--int8"]) == 2
    assert "whose arithmetic was settled when it was made: leave int8 out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("runtime", "asked", "told"),
    [
        ({}, ("bf16", ""), "leave bf16 out"),
        ({"device": "cuda"}, ("fp32", ""), "runs on the CPU"),
        ({}, ("fp32", "de"), r"translates de to en alone, not into de\. .* once for each of them, with --to"),
    ],
)
def test_what_an_export_cannot_do_is_refused_with_the_way_out(
    exported: Path, runtime: dict[str, str], asked: tuple[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        Translator.load(exported, RuntimeSettings(**runtime), *asked)


def test_without_onnxruntime_a_translator_says_what_to_install(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.export.reading.find_spec", lambda name: None)
    with pytest.raises(UserError, match="python -m pip install onnxruntime"):
        Translator.load(exported)


def test_a_damaged_or_newer_export_is_not_loaded(exported: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(exported, tmp_path / "damaged"))
    with (damaged / "decoder.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ModelError, match=r"decoder\.onnx is not the file that was .* or export the model again"):
        Translator.load(damaged)
    config = damaged / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"format": 1', '"format": 9'), encoding="utf-8")
    with pytest.raises(ModelError, match="has format 9, and this version reads format 1"):
        Translator.load(damaged)


def test_an_export_is_no_model_to_train_on_or_promote(exported: Path) -> None:
    with pytest.raises(ModelError, match="is an export, which can be translated with and nothing else"):
        check_model(exported)
    assert Translator.load(exported).config.kind == "seq2seq-onnx"


def test_a_sentence_is_read_the_same_alone_and_beside_longer_ones(pair: tuple[LoadedModel, Path]) -> None:
    _, folder = pair
    exported = Exported(folder, threads=1)
    rows = sources(5, 12, 1)
    together, _ = exported.encode(rows)
    begin = np.full(len(rows), 2)
    logits, _ = exported.step(begin, together)
    for number, row in enumerate(rows):
        alone, _ = exported.encode([row])
        np.testing.assert_allclose(exported.step(begin[:1], alone)[0][0], logits[number], rtol=1e-4, atol=1e-4)


def test_the_comparison_counts_the_tokens_of_sources_of_several_lengths(pair: tuple[LoadedModel, Path]) -> None:
    loaded, folder = pair
    found = require_equal(folder, loaded)
    assert found.sentences == len(LENGTHS)
    assert found.equal_tokens == found.tokens >= len(LENGTHS)
    assert 0 < found.largest_difference < 1e-3 * found.largest_logit


def test_translations_that_differ_where_two_tokens_are_as_likely_are_no_difference(
    exported: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2seq.export.agreement.greedy", lambda model, sources, *limits: [[5, 6]] * len(sources))
    require_equal(exported, load_model(model_folder))


def test_weights_that_differ_are_found(exported: Path, model_folder: Path) -> None:
    loaded = load_model(model_folder)
    with torch.no_grad():
        loaded.model.output.bias[EOS] += 1
    with pytest.raises(ExportDiffers, match=r"sentence \d has \d+ and \d+ tokens, .* logits differ by up to 1\.0e\+00"):
        require_equal(exported, loaded)


def test_the_program_in_the_folder_needs_nothing_of_ours(exported: Path, model_folder: Path, tmp_path: Path) -> None:
    """It runs where importing torch, onnx or seq2seq fails."""
    for name in ("torch", "onnx", "onnxscript", "seq2seq"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not here')")
    finished = subprocess.run(
        [sys.executable, str(exported / "translate.py"), "--threads", "1"],
        input="\n".join(LINES).encode(),
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
    )
    expected = Translator.load(model_folder, RuntimeSettings(threads=1, device="cpu")).translate(LINES, beam_size=1)
    assert finished.stdout.decode().splitlines() == expected


@pytest.mark.parametrize(
    ("options", "text", "code", "translated", "said"),
    [
        (["--batch", "0"], b"eins\n", 2, 0, "--batch is 1 or more"),
        (["--batch", "-1"], b"eins\n", 2, 0, "--batch is 1 or more"),
        ([], b"eins\nzwei\n\xff\nvier\n", 1, 2, "line 3 of the input is not UTF-8"),
    ],
)
def test_the_program_in_the_folder_says_what_is_wrong_with_what_it_is_given(
    exported: Path, options: list[str], text: bytes, code: int, translated: int, said: str
) -> None:
    program = [sys.executable, str(exported / "translate.py"), "--threads", "1", *options]
    finished = subprocess.run(program, input=text, capture_output=True)
    assert (finished.returncode, len(finished.stdout.splitlines())) == (code, translated)
    assert said in finished.stderr.decode()
    assert "Traceback" not in finished.stderr.decode()


def test_the_folder_is_complete_and_says_what_is_in_it(exported: Path) -> None:
    config = json.loads((exported / "config.json").read_text(encoding="utf-8"))
    readme = (exported / "README.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in exported.iterdir()) == FILES
    assert sorted(config["files"]) == FILES[2:]
    for name, entry in config["files"].items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == entry["sha256"]
    for graph in config["graphs"].values():
        for tensor in (*graph["inputs"], *graph["outputs"]):
            assert f"`{tensor['name']}` | {tensor['dtype']} |" in readme


def test_nothing_in_the_folder_says_where_it_was_made(exported: Path) -> None:
    for path in exported.iterdir():
        assert str(Path(__file__).parents[1]).encode() not in path.read_bytes()


def test_equal_weights_give_equal_bytes(exported: Path, model_folder: Path, tmp_path: Path) -> None:
    again = export_model(model_folder, tmp_path / "again").folder
    for name in FILES:
        assert (again / name).read_bytes() == (exported / name).read_bytes(), name


def test_an_export_is_decoded_as_its_model_was_scored(
    exported: Path, model_folder: Path, ready_graphs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = Path(shutil.copytree(model_folder, tmp_path / "scored"))
    (scored / "pipeline.json").write_text(json.dumps({"evaluation": {"beam_size": 1}}), encoding="utf-8")
    folder = export_model(scored, tmp_path / "export").folder
    asked: list[int] = []
    monkeypatch.setattr(Translator, "translate", lambda self, lines, beam_size, *more: asked.append(beam_size) or lines)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"eins\n")))

    assert command.main(["translate", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "pipeline.json"])
    assert set(asked) == {1}


@pytest.fixture
def ready_graphs(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter is spared its seconds: it gives the graphs that are there."""
    graphs = [onnx_ir.load(exported / f"{name}.onnx") for name in ("encoder", "decoder")]
    monkeypatch.setattr("seq2seq.export.graphs.export_graphs", lambda model: graphs)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes packages look as if they were not installed."""

    def hide(*names: str) -> None:
        monkeypatch.setattr(export_folder, "find_spec", lambda name: None if name in names else find_spec(name))

    return hide


@pytest.mark.usefixtures("ready_graphs")
def test_a_model_for_both_directions_is_exported_into_the_language_asked_for(
    tmp_path: Path, without: Callable[..., None]
) -> None:
    words = [language_tag("de"), language_tag("en"), "▁eins", "▁one"]
    model = write_tiny_model(tmp_path / "model", pieces={"source": words, "target": words})
    without("onnxruntime")  # the graphs are another model's
    folder = export_model(model, tmp_path / "exported", "de").folder
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["source_language"], config["target_language"]) == ("en", "de")
    assert config["language_tag"] == {"token": "<2de>", "id": 4}
    assert Tokenizer.from_file(str(folder / "source_tokenizer.json")).encode("one").ids[0] == 4
    assert "The tokenizer puts `<2de>` (id 4) before each text" in (folder / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ModelError, match="not into fr"):
        export_model(model, tmp_path / "french", "fr")


@pytest.mark.usefixtures("ready_graphs")
def test_the_command_says_how_far_the_export_agrees(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    assert command.main(["export", str(model_folder), str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"8 random sources: (\d+) of \1 tokens are equal; .* differ by \d\.\de-0\d at most", printed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.usefixtures("ready_graphs")
def test_an_int8_export_is_smaller_and_chooses_nearly_the_same_tokens(
    model_folder: Path, exported: Path, tmp_path: Path
) -> None:
    written = export_model(model_folder, tmp_path / "small", int8=True)
    assert written.agreement is not None
    assert 0.7 * written.agreement.tokens < written.agreement.equal_tokens
    assert sorted(path.name for path in written.folder.iterdir()) == FILES
    config = json.loads((written.folder / "config.json").read_text(encoding="utf-8"))
    for name in ("encoder.onnx", "decoder.onnx"):
        content = (written.folder / name).read_bytes()
        assert content != (exported / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == config["files"][name]["sha256"]
    assert config["weights"] == "int8"
    sentences = [f"{first} {second}" for first in ("eins", "zwei", "vier") for second in ("acht", "und", "sechs", ",")]
    pairs = zip(*(Translator.load(each).translate(sentences) for each in (model_folder, written.folder)), strict=True)
    assert sum(ours == theirs for ours, theirs in pairs) >= 6
    assert "The weights are int8" in (written.folder / "README.md").read_text(encoding="utf-8")


def test_int8_weights_fit_processors_that_add_pairs_of_products_in_16_bits(model_folder: Path, tmp_path: Path) -> None:
    folder = export_model(model_folder, tmp_path / "small", int8=True).folder
    for name in ("encoder.onnx", "decoder.onnx"):
        parts = onnx.load(folder / name).graph.initializer
        weights = [onnx.numpy_helper.to_array(part) for part in parts if part.data_type == onnx.TensorProto.INT8]
        assert len(weights) > 1
        largest = max(np.abs(weight.astype(int)).max() for weight in weights)
        assert 2**14 < 2 * 255 * largest < 2**15


@pytest.mark.usefixtures("ready_graphs")
def test_without_onnxruntime_the_command_says_that_nothing_was_compared(
    model_folder: Path, tmp_path: Path, without: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    without("onnxruntime")
    assert command.main(["export", str(model_folder), str(tmp_path / "out")]) == 0
    assert "not compared with the model, because onnxruntime is not installed: python -m pip" in capsys.readouterr().out


@pytest.mark.usefixtures("ready_graphs")
def test_an_export_that_differs_is_not_written_and_ends_the_command_with_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_tiny_model(tmp_path / "models" / "other", seed=4)
    assert command.main(["export", str(other), str(tmp_path / "out")]) == 1
    assert "error: The exported graphs do not say what the model says: sentence" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_without_the_exporter_the_command_says_what_to_install(
    model_folder: Path, tmp_path: Path, without: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    without("onnx", "onnxscript")
    assert command.main(["export", str(model_folder), str(tmp_path / "out")]) == 2
    assert "python -m pip install onnx onnxruntime onnxscript" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_and_a_file_are_left_alone(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        export_model(model_folder, tmp_path)
    with pytest.raises(UserError, match="is a file"):
        export_model(model_folder, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_folder_that_one_is_in_is_not_replaced(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for here in (Path("."), tmp_path):
        with pytest.raises(UserError, match="the folder that you are in"):
            export_model(model_folder.resolve(), here)


def test_a_damaged_model_is_not_exported(model_folder: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(model_folder, tmp_path / "damaged"))
    with (damaged / "model.safetensors").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ModelError, match="is not the file that was published"):
        export_model(damaged, tmp_path / "out")


def test_a_memory_is_rebuilt_from_its_tensors_with_what_it_leaves_out() -> None:
    memory = Memory(State(torch.zeros(1), None, torch.ones(1)), keys_BSK=torch.full((1,), 2.0))
    tensors = flatten("memory", memory)
    assert list(tensors) == ["memory.initial.hidden_BLH", "memory.initial.fed_BF", "memory.keys_BSK"]
    assert rebuild(memory, iter(tensors.values())) == memory
