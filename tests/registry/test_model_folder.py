import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from seq2seq.errors import ModelError
from seq2seq.registry.model_folder import check_model, load_model, write_model
from tests.tiny import make_model, write_tiny_model, write_vocabulary

FILES = ["config.json", "model.safetensors", "source_tokenizer.json", "target_tokenizer.json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


def rewrite_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    change(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def describe_anew(folder: Path, name: str) -> None:
    """Make config.json agree with a file that was replaced."""
    content = (folder / name).read_bytes()
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    rewrite_config(folder, lambda config: config["files"].update({name: entry}))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("attention", ["none", "additive"])
def test_a_model_written_and_loaded_gives_identical_logits(tmp_path: Path, attention: str, tied: bool) -> None:
    vocabulary = write_vocabulary(tmp_path / "vocabulary")
    model, settings = make_model(vocabulary, attention=attention, tie_embeddings=tied)
    write_model(tmp_path / "model", model, settings, "de", "en", vocabulary)
    loaded = load_model(tmp_path / "model")
    source_BS, lengths_B, tokens_B = (
        torch.tensor([[4, 5, 6, 3], [7, 3, 0, 0]]),
        torch.tensor([4, 2]),
        torch.tensor([2, 2]),
    )
    logits = []
    for network in (model, loaded.model):
        memory = network.encode(source_BS, lengths_B)
        logits.append(network.step(tokens_B, memory, network.start(memory))[0])
    assert torch.equal(*logits)
    assert not loaded.model.training
    assert (loaded.config.source_language, loaded.config.target_language) == ("de", "en")
    assert loaded.config.model == settings


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    first, second = write_tiny_model(tmp_path / "first"), write_tiny_model(tmp_path / "second")
    assert sorted(path.name for path in first.iterdir()) == FILES
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_tied_weights_are_stored_once_and_are_tied_again_when_loaded(folder: Path) -> None:
    with safe_open(folder / "model.safetensors", "pt") as stored:
        names = list(stored.keys())
    assert "decoder.embedding.weight" in names
    assert "decoder.output.weight" not in names
    decoder = load_model(folder).model.decoder
    assert decoder.output.weight is decoder.embedding.weight


def test_loading_leaves_the_source_text_of_special_tokens_alone(folder: Path) -> None:
    encoding = load_model(folder).source_tokenizer.encode("eins </s>")
    assert 3 not in encoding.ids


@pytest.mark.parametrize("module", ["registry.model_folder", "registry.sharing", "registry.model_card", "__main__"])
def test_a_folder_is_checked_without_importing_pytorch(folder: Path, module: str) -> None:
    code = (
        f"import sys, pathlib, seq2seq.{module}, seq2seq.registry.model_folder as m;"
        "m.check_model(pathlib.Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 0


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("eins\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"in\.txt is a file, and a model is a folder"):
        check_model(tmp_path / "in.txt")
    with pytest.raises(ModelError, match=re.escape(f"There is no model folder {tmp_path / 'nothing'}")):
        check_model(tmp_path / "nothing")


def test_a_folder_without_a_configuration_is_no_model_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"it has no config\.json"):
        check_model(tmp_path)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_missing_file_is_named_with_its_size(folder: Path, name: str) -> None:
    size = (folder / name).stat().st_size
    (folder / name).unlink()
    with pytest.raises(
        ModelError, match=re.escape(f"{folder / name} is missing: config.json says that it has {size:,} ")
    ):
        load_model(folder)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_truncated_file_is_named_with_both_sizes(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-10])
    expected = f"{folder / name} is truncated: it has {len(content) - 10:,} bytes, and should have {len(content):,}."
    with pytest.raises(ModelError, match=re.escape(expected)):
        load_model(folder)


def test_a_longer_file_is_not_called_truncated(folder: Path) -> None:
    with (folder / "model.safetensors").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ModelError, match="is not the file that was published"):
        load_model(folder)


@pytest.mark.parametrize("name", FILES[1:])
def test_one_flipped_bit_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(f"{folder / name} was altered")):
        load_model(folder)


def test_a_configuration_that_is_not_json_is_an_error(folder: Path) -> None:
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json is not JSON: .* line 1 column 2"):
        check_model(folder)


def test_a_configuration_that_is_not_text_is_an_error(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"config\.json is not JSON"):
        check_model(folder)


@pytest.mark.parametrize("text", ["[]", '{"architectures": ["LlamaForCausalLM"]}'])
def test_the_configuration_of_another_program_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="was not written by seq2seq-flows"):
        check_model(folder)


def test_a_later_format_is_refused_with_both_numbers(folder: Path) -> None:
    rewrite_config(folder, lambda config: config.update(format=7))
    with pytest.raises(ModelError, match="has format 7, and this version reads format 2"):
        check_model(folder)


def test_a_wrong_setting_in_the_configuration_is_named(folder: Path) -> None:
    rewrite_config(folder, lambda config: config["model"].update(encoder_layers=0))
    with pytest.raises(ModelError, match=r"1 wrong value\(s\), the first at model\.encoder_layers"):
        check_model(folder)


def test_a_configuration_that_leaves_a_file_out_is_an_error(folder: Path) -> None:
    rewrite_config(folder, lambda config: config["files"].pop("target_tokenizer.json"))
    with pytest.raises(ModelError, match=r"does not describe target_tokenizer\.json"):
        check_model(folder)


def test_weights_that_do_not_fit_the_settings_are_named_with_both_shapes(folder: Path) -> None:
    rewrite_config(folder, lambda config: config["model"].update(embedding_size=6))
    expected = r"decoder\.embedding\.weight \(stored 16×8 torch\.float32, expected 16×6 torch\.float32\)"
    with pytest.raises(ModelError, match=expected):
        load_model(folder)


def test_weights_of_another_network_are_named_as_missing(folder: Path) -> None:
    rewrite_config(folder, lambda config: config["model"].update(attention="none", tie_embeddings=False))
    with pytest.raises(ModelError, match=r"stored .*, expected nothing"):
        load_model(folder)


def test_weights_that_are_no_safetensors_file_are_an_error(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")
    describe_anew(folder, "model.safetensors")
    with pytest.raises(ModelError, match="is not a safetensors file"):
        load_model(folder)


def test_a_tokenizer_that_is_none_is_an_error(folder: Path) -> None:
    (folder / "source_tokenizer.json").write_text("{}", encoding="utf-8")
    describe_anew(folder, "source_tokenizer.json")
    with pytest.raises(ModelError, match=r"source_tokenizer\.json is not a tokenizer"):
        load_model(folder)


def test_a_tokenizer_of_another_size_is_an_error(folder: Path, tmp_path: Path) -> None:
    other = write_vocabulary(tmp_path / "other", {"target": ["▁one"]}) / "target_tokenizer.json"
    (folder / "target_tokenizer.json").write_bytes(other.read_bytes())
    describe_anew(folder, "target_tokenizer.json")
    with pytest.raises(ModelError, match=r"target_tokenizer\.json has 5 tokens, and config\.json says 16"):
        load_model(folder)
