"""The model card: what a model is, what it was made from, how good it is, and how to use it."""

from collections.abc import Iterable, Mapping
from typing import Any

from seq2seq.config import Config
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.training import EQUAL_BLEU

Statistics = Mapping[str, Any]


def card(config: Config, statistics: Mapping[str, Statistics]) -> str:
    """Markdown with YAML front matter, as model hubs read it.

    `statistics` are those of the records by step name; of `train` and `evaluate` all figures are needed, of the
    other steps only what is there is told. Equal arguments give equal text: no date, no place, no speed.
    """
    corpus, scores = config.corpus, statistics["evaluate"]
    return "\n".join(
        [
            *_front_matter(corpus),
            f"# {config.name}: {corpus.source_language} to {corpus.target_language}",
            "",
            f"An encoder-decoder that translates single sentences from `{corpus.source_language}` to "
            f"`{corpus.target_language}`, trained by seq2seq-flows.",
            "",
            *_usage(config.evaluation),
            *(_other_direction(corpus) if config.vocabulary.language_tags else []),
            *_scores(scores, config),
            *_data(corpus, statistics),
            *_model(config, statistics),
            *_limits(corpus, scores),
        ]
    )


def _front_matter(corpus: CorpusSettings) -> list[str]:
    # In quotes: YAML takes a bare `no` (Norwegian) for false.
    languages = [f'- "{language}"' for language in (corpus.source_language, corpus.target_language)]
    metrics = ["- bleu", "- chrf", "- ter"]
    return [
        "---",
        "language:",
        *languages,
        "pipeline_tag: translation",
        "library_name: seq2seq-flows",
        "metrics:",
        *metrics,
        "---",
        "",
    ]


def _usage(decoding: EvaluationSettings) -> list[str]:
    usual = EvaluationSettings()
    options = "".join(
        f", {name}={getattr(decoding, name):g}"
        for name in ("beam_size", "length_penalty")
        if getattr(decoding, name) != getattr(usual, name)
    )
    return [
        "## Use",
        "",
        "It needs the package `seq2seq-flows`, installed from its checkout. One line of raw text in, one line of "
        "translation out, in the same order:",
        "",
        "```sh",
        "python -m seq2seq translate MODEL_DIR < in.txt > out.txt",
        "```",
        "",
        "```python",
        "from pathlib import Path",
        "",
        "from seq2seq.translator import Translator",
        "",
        f'translations = Translator.load(Path("MODEL_DIR")).translate(["…"]{options})',
        "```",
        "",
    ]


def _other_direction(corpus: CorpusSettings) -> list[str]:
    source, target = corpus.source_language, corpus.target_language
    return [
        f"It was trained in both directions and also translates from `{target}` to `{source}`, with `--to {source}` or "
        f'`Translator.load(…, target_language="{source}")`. The scores below are those of `{source}` to `{target}`.',
        "",
    ]


def _scores(scores: Statistics, config: Config) -> list[str]:
    low, high = scores["bleu_interval"]
    others = scores["signatures"]
    rows = [
        ("BLEU, cased", f"{scores['bleu']:.1f} (95 % interval {low:.1f} to {high:.1f})", scores["signature"]),
        ("BLEU, lower-cased", f"{scores['bleu_lowercased']:.1f}", others["bleu_lowercased"]),
        ("chrF", f"{scores['chrf']:.1f}", others["chrf"]),
        ("TER (lower is better)", f"{scores['ter']:.1f}", others["ter"]),
    ]
    if scores.get("int8"):
        int8 = scores["int8"]
        rows.insert(
            1, ("BLEU, cased, `--int8`", f"{int8['bleu']:.1f} ({int8['difference']:+.1f})", scores["signature"])
        )
    decoding = config.evaluation
    how = "greedy" if decoding.beam_size == 1 else f"beam {decoding.beam_size}"
    return [
        "## Scores",
        "",
        f"On {_test_pairs(scores, config.corpus)}, detokenized text against raw references, by sacreBLEU; decoded "
        f"with {how}, length penalty {decoding.length_penalty:g}.",
        "",
        *_table(("score", "value", "signature"), ((name, value, f"`{text}`") for name, value, text in rows)),
    ]


def _test_pairs(scores: Statistics, corpus: CorpusSettings) -> str:
    pairs = f"{scores['test_pairs']:,}"
    return (
        f"the {pairs} pairs of the test set `{corpus.test}`"
        if corpus.test
        else f"{pairs} pairs held out of `{corpus.train}`"
    )


def _data(corpus: CorpusSettings, statistics: Mapping[str, Statistics]) -> list[str]:
    splits = statistics.get("clean", {}).get("splits", {})
    rows = [
        (split, f"{counts['pairs_before']:,}", f"{counts['pairs_after']:,}")
        for split, counts in splits.items()
        if "pairs_after" in counts
    ]
    table = _table(("split", "sentence pairs found", "used"), rows) if rows else []
    fetch = statistics.get("fetch", {})
    return ["## Data", "", _origin(corpus, fetch) + _held_out(corpus, fetch), "", *table]


def _origin(corpus: CorpusSettings, fetch: Statistics) -> str:
    match corpus.kind:
        case "demo":
            return (
                f"The Korean-English grammar that comes with seq2seq-flows (seed {corpus.seed}). It determines every "
                "word of the target: scores on it say nothing about real text."
            )
        case "hub":
            subset = f", configuration `{corpus.subset}`" if corpus.subset else ""
            revision = fetch.get("revision", corpus.revision)
            return f"Hugging Face dataset `{corpus.dataset}`{subset}, revision `{revision}`."
        case "url":
            return f"Downloaded from <{corpus.address}>."
    names = ", ".join(f"`{name}` ({split})" for split, name in corpus.split_names().items())
    return f"Local text files: {names}."


def _held_out(corpus: CorpusSettings, fetch: Statistics) -> str:
    splits = fetch.get("splits", {})
    pairs = [f"{splits[split]['pairs']:,} ({split})" for split in corpus.held_out() if split in splits]
    return f" Pairs held out of `{corpus.train}`: {', '.join(pairs)}." if pairs else ""


def _model(config: Config, statistics: Mapping[str, Statistics]) -> list[str]:
    training, settings = statistics["train"], config.vocabulary
    vocabulary = statistics.get("vocabulary", {})
    sizes = [f"{vocabulary[side]['tokens']:,} {side}" for side in ("source", "target") if side in vocabulary]
    joint = "joint, " if settings.joint else ""
    return [
        "## Model",
        "",
        *_table(
            ("", ""),
            [
                ("architecture", _architecture(config.model)),
                ("parameters", f"{training['parameters']:,}"),
                ("vocabulary", f"{settings.kind} ({joint}{' and '.join(sizes)} tokens)" if sizes else settings.kind),
                ("training", _training(training)),
                ("validation loss", f"{training['valid_nats_per_token']:.3f} nats per token"),
            ],
        ),
        "Every setting is in `pipeline.json`.",
        "",
    ]


def _training(training: Statistics) -> str:
    told = (
        f"{training['steps']:,} steps; the weights of step {training['best_step']:,}, chosen by validation BLEU "
        f"and, within {EQUAL_BLEU:g} of the highest, by loss"
    )
    return f"{told}; continued from model `{training['parent'][:12]}`" if "parent" in training else told


def _architecture(model: ModelSettings) -> str:
    """The network in one sentence: its two ends, how they are joined, and what they share."""
    ends = _transformer(model) if model.architecture == "transformer" else _recurrent(model)
    shared = {
        (True, True): "one embedding for source, target and output",
        (True, False): "one embedding for source and target",
        (False, True): "output tied to the target embedding",
    }.get((model.share_embeddings, model.tie_embeddings))
    return ", ".join([*ends, f"embeddings of {model.embedding_size}", *([shared] if shared else [])])


def _transformer(model: ModelSettings) -> list[str]:
    layers = f"{model.encoder_layers} encoder and {model.decoder_layers} decoder layers of {model.embedding_size}"
    return [f"pre-norm Transformer: {layers}", f"{model.attention_heads} heads", f"inner size {model.feedforward_size}"]


def _recurrent(model: ModelSettings) -> list[str]:
    kind, direction = model.architecture.upper(), "bidirectional " if model.bidirectional else ""
    return [
        f"{direction}{kind} encoder ({model.encoder_layers} × {model.encoder_hidden_size})"
        + (" that reads the source from its end" if model.reverse_source else ""),
        f"{kind} decoder ({model.decoder_layers} × {model.decoder_hidden_size})",
        "no attention"
        if model.attention == "none"
        else f"{model.attention} attention" + (" to states and embeddings" if model.attend_embeddings else ""),
        *(["input feeding"] if model.input_feeding else []),
        *(["residual connections"] if model.residual else []),
        *(["layer normalisation"] if model.layer_norm else []),
    ]


def _limits(corpus: CorpusSettings, scores: Statistics) -> list[str]:
    limits = [
        "It translates sentence by sentence and knows nothing of the text around one.",
        "It repeats the language, the subjects and the biases of its training text; on other text it is worse "
        "than the scores say.",
        "A translation can be fluent and wrong: have it checked where an error would do harm.",
    ]
    unknown = scores["sources_with_unknown_tokens"]
    if unknown:
        limits.append(
            f"{unknown:,} of the {scores['test_pairs']:,} test sources have tokens that its vocabulary does not know."
        )
    if corpus.kind == "demo":
        limits.insert(0, "It knows only the words and sentences of a small built-in grammar.")
    return ["## Limits", "", *(f"* {limit}" for limit in limits), ""]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table; a bar inside a cell is escaped, since it would end the cell."""
    lines = [list(head), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return [*("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines), ""]
