"""What an exported folder says of itself."""

from collections.abc import Mapping, Sequence
from typing import Any

INT8 = """\
The weights are int8 and what is multiplied by them is quantized at each call, with one scale for the whole batch: a
translation can differ a little from the float32 model's, and with the sentences beside it.

"""
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

{int8}`encoder.onnx` reads a padded batch of sources; `decoder.onnx` is one step, from a token and a state to the
logits of the next token and the next state. All tensors have the batch first (the letters at the end of a name are its
dimensions); `batch`, `source_length` and `target_length` may be of any size.
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
    return "\n".join(
        [INTRODUCTION.format(**config, int8=INT8 if config["weights"] == "int8" else ""), *tables, algorithm]
    )


def _table(inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"| {kind} | `{tensor['name']}` | {tensor['dtype']} | {' × '.join(map(str, tensor['shape']))} |"
        for kind, tensors in (("in", inputs), ("out", outputs))
        for tensor in tensors
    ]
    return "\n".join(["| | name | dtype | shape |", "|---|---|---|---|", *rows, ""])
