"""Translate lines of standard input with the model in this folder, by greedy decoding.

    python translate.py < in.txt > out.txt

Needs onnxruntime, tokenizers and numpy, and nothing else. Tensors have the batch first.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

Tensors = dict[str, npt.NDArray[np.generic]]


class Translator:
    """The model of one folder, ready to translate."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """`threads` of tensor operations; 0 takes one for each core."""
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.special = self.config["special_tokens"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
            for name in ("encoder.onnx", "decoder.onnx")
        )
        self.read = [value.name for value in self.decoder.get_inputs()]
        self.source_tokenizer, self.target_tokenizer = (
            Tokenizer.from_file(str(folder / f"{side}_tokenizer.json")) for side in ("source", "target")
        )
        self.source_tokenizer.encode_special_tokens = True  # "</s>" in a text is text

    def translate(self, lines: Sequence[str], batch: int = 64) -> list[str]:
        """One translation for each line; a line without a token has an empty one."""
        sources = [encoding.ids for encoding in self.source_tokenizer.encode_batch(lines)]
        tags = self.source_tokenizer.num_special_tokens_to_add(False)  # 1 where the first token says the language
        worded = [row for row, source in enumerate(sources) if len(source) > tags]
        order = sorted(worded, key=lambda row: -len(sources[row]))
        translations = [""] * len(sources)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]  # of like length
            targets = self.greedy([sources[row] for row in rows])
            for row, text in zip(rows, self.target_tokenizer.decode_batch(targets), strict=True):
                translations[row] = " ".join(text.split())
        return translations

    def greedy(self, sources: Sequence[Sequence[int]]) -> list[list[int]]:
        """The likeliest next token, one after another, for sources without their end token; no end tokens out."""
        end = self.special["eos"]
        tensors, limits = self.encode(sources)
        tokens = np.full(len(sources), self.special["bos"])
        live = np.arange(len(sources))
        translations: list[list[int]] = [[] for _ in sources]
        while len(live):
            logits, tensors = self.step(tokens, tensors)
            logits[:, self.config["never_written"]] = -np.inf
            tokens = logits.argmax(1)
            for sentence, token in zip(live, tokens.tolist(), strict=True):
                if token != end:
                    translations[sentence].append(token)
            written = np.array([len(translations[sentence]) for sentence in live])
            going_on = (tokens != end) & (written < limits[live])
            if not going_on.all():
                live, tokens = live[going_on], tokens[going_on]
                tensors = {name: tensor[going_on] for name, tensor in tensors.items()}
        return translations

    def encode(self, sources: Sequence[Sequence[int]]) -> tuple[Tensors, npt.NDArray[np.int64]]:
        """What the decoder reads before its first token, and how many tokens each translation may have."""
        lengths = np.array([len(source) + 1 for source in sources])
        padded = np.full((len(sources), lengths.max()), self.special["pad"])
        for row, source in enumerate(sources):
            padded[row, : len(source) + 1] = [*source, self.special["eos"]]
        names = [value.name for value in self.encoder.get_outputs()]
        tensors = dict(zip(names, self.encoder.run(names, {"source": padded, "lengths": lengths}), strict=True))
        limit = self.config["longest_translation"]
        return tensors, limit["per_source_token"] * lengths + limit["more"]

    def step(self, tokens: npt.NDArray[np.int64], tensors: Tensors) -> tuple[npt.NDArray[np.float32], Tensors]:
        """Logits of the token after `tokens`, and the tensors to go on with: the same memory and the next state."""
        logits, *state = self.decoder.run(None, {"tokens": tokens, **{name: tensors[name] for name in self.read[1:]}})
        names = [name for name in tensors if name.startswith("state.")]
        return logits, tensors | dict(zip(names, state, strict=True))


def chunks(lines: Iterable[bytes], size: int) -> Iterator[list[str]]:
    """The lines as text, `size` at a time. A line that is not UTF-8 ends the program, after those before it."""
    chunk: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            chunk.append(line.decode("utf-8").rstrip("\r\n"))
        except UnicodeDecodeError as error:
            yield chunk
            sys.exit(f"line {number} of the input is not UTF-8: {error}")
        if len(chunk) == size:
            yield chunk
            chunk = []
    yield chunk


def main() -> None:
    """Translate standard input to standard output, one line for each line."""
    parser = argparse.ArgumentParser(description="Translate lines of standard input.")
    parser.add_argument("--threads", type=int, default=0, help="threads of tensor operations (default: one per core)")
    parser.add_argument("--batch", type=int, default=64, help="sentences translated together (default: 64)")
    options = parser.parse_args()
    if options.batch < 1 or options.threads < 0:
        parser.error("--batch is 1 or more, --threads 0 or more")
    translator = Translator(Path(__file__).parent, options.threads)
    for chunk in chunks(sys.stdin.buffer, 16 * options.batch):
        sys.stdout.buffer.writelines(f"{line}\n".encode() for line in translator.translate(chunk, options.batch))


if __name__ == "__main__":
    main()
