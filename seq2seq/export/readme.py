"""What an exported folder says of itself."""

from collections.abc import Mapping, Sequence
from typing import Any

INTRODUCTION = """\
# {source_language} → {target_language}, as ONNX

A translation model for programs without PyTorch: two ONNX graphs, and two tokenizers in the format of the `tokenizers`
library (Rust, Python, Node). Everything below is in `config.json`, too. To translate lines of text from Python:

```bash
python -m pip install onnxruntime tokenizers numpy
python translate.py < in.txt > out.txt
```

`translate.py` is a complete example: read it for the details of what follows.

## Graphs

`encoder.onnx` reads a padded batch of sources; `decoder.onnx` is one step, from a token and a state to the logits of
the next token and the next state. All tensors have the batch first; `batch`, `source_length` and `target_length` may be
of any size.
"""

ALGORITHM = """\
## Greedy decoding

Special ids: {specials}.

1. Encode each text with `source_tokenizer.json`. A text without a token translates to nothing: leave it out.{tag}
2. Put the id {eos} (end) after each source, and {pad} after that where others are longer. `lengths` counts the end.
3. Run the encoder once. Its outputs are inputs of the decoder, under the same names; `memory.*` stays as it is.
4. Run the decoder with `tokens` = {bos} (begin) in each row.
5. In each row choose the greatest logit, leaving out the ids {never}: that is the next token.
6. A row that chose {eos} is done, and so is one with {per_source_token} × length + {more} tokens. Take it out of the
   batch: choose the other rows of every tensor.
7. Go on at 4 with the tokens chosen; each `next_state.X` is the new `state.X`.
8. Decode the tokens, without {eos}, with `target_tokenizer.json`; take white space off both ends.

A beam search needs the same calls: repeat the rows of all tensors for each hypothesis, and choose rows by hypothesis.
"""

TAG = """
   The tokenizer puts `{token}` (id {id}) before each text: the model was trained in both directions, and this token
   asks for this one."""


def readme(config: Mapping[str, Any]) -> str:
    """The text of README.md, from what config.json says."""
    special, tag = config["special_tokens"], config["language_tag"]
    algorithm = ALGORITHM.format(
        **special,
        **config["longest_translation"],
        specials=", ".join(f"{name} {number}" for name, number in special.items()),
        never=", ".join(map(str, config["never_written"])),
        tag="" if tag is None else TAG.format(**tag),
    )
    tables = [
        f"`{name}.onnx`:\n\n{_table(graph['inputs'], graph['outputs'])}" for name, graph in config["graphs"].items()
    ]
    return "\n".join([INTRODUCTION.format(**config), *tables, algorithm])


def _table(inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"| {kind} | `{tensor['name']}` | {tensor['dtype']} | {' × '.join(map(str, tensor['shape']))} |"
        for kind, tensors in (("in", inputs), ("out", outputs))
        for tensor in tensors
    ]
    return "\n".join(["| | name | dtype | shape |", "|---|---|---|---|", *rows, ""])
