"""The `vocabulary` step: what a token is, learned from the training split only, or taken over from a model.

* word: the pieces that `tokenize` cut, the most frequent ones.
* bpe: byte-pair encoding within pieces (Sennrich, Haddow and Birch 2016, section 3.2).
* unigram: a unigram language model over subwords (Kudo 2018, section 3.2), see `seq2seq.subwords.unigram`.

Tokens 0 to 3 are `<pad> <unk> <s> </s>`. They belong to the model and are not registered as special text, so that
nobody gets them by typing them: the text `<pad>` is three pieces like any other. With `vocabulary.language_tags` two
more follow, `<2de>` and `<2en>`, and the source tokenizer puts the one of the target language before each sentence.

Every character of the training split has a token of its own, hence subwords lose nothing there. A character that
was never seen becomes `<unk>`: byte tokens in its place would have embeddings that were never trained.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from seq2seq.corpora.pairs import SIDES, Pairs, read_pairs
from seq2seq.errors import ConfigError
from seq2seq.pipeline import Job
from seq2seq.settings.vocabulary import VocabularySettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.subwords.language_tags import language_tag, with_tag
from seq2seq.subwords.special_tokens import BOS, EOS, PAD, SPECIAL_TOKENS, UNK
from seq2seq.subwords.tokenization import BOUNDARY
from seq2seq.subwords.unigram import learn_unigram

SHOWN_UNKNOWN_WORDS = 10


def learn(vocabulary: VocabularySettings, tokenize: Artifact, job: Job) -> dict[str, Any]:
    """Write `source_tokenizer.json` and `target_tokenizer.json`: raw text in, ids out, and ids to text.

    The two have the same tokens when `vocabulary.joint`. Raises ConfigError without a training split, for subwords
    when `vocabulary.size` is below the number of different characters, and for language tags of a single language.
    """
    pairs = _training_split(tokenize)
    rules = tokenize.file("rules.json").read_text(encoding="utf-8")
    pieces = {side: count_pieces(pairs.texts(side)) for side in SIDES}
    if vocabulary.joint:
        tags = _tags(pairs) if vocabulary.language_tags else []
        shared = build_tokenizer(vocabulary, pieces["source"] + pieces["target"], rules, tags)
        tagged = with_tag(shared, pairs.target_language) if tags else shared
        tokenizers = {"source": tagged, "target": shared}
    else:
        tokenizers = {side: build_tokenizer(vocabulary, pieces[side], rules) for side in SIDES}
    for side, tokenizer in tokenizers.items():
        tokenizer.save(str(job.into / f"{side}_tokenizer.json"))
    return {side: _measure(tokenizers[side], pieces[side]) for side in SIDES}


def inherit(tokenize: Artifact, parent: Artifact, job: Job) -> dict[str, Any]:
    """Take both tokenizers over from the model that a training goes on from, and measure them on its texts.

    Each row of an embedding stands for one token, so weights are taken over together with the vocabulary. What
    `learn` would have made of these texts is not looked at. Raises ConfigError without a training split.
    """
    pairs = _training_split(tokenize)
    statistics: dict[str, Any] = {"inherited": True}
    for side in SIDES:
        file = parent.file(f"{side}_tokenizer.json")
        shutil.copyfile(file, job.into / file.name)
        statistics[side] = _measure(Tokenizer.from_file(str(file)), count_pieces(pairs.texts(side)))
    return statistics


def _training_split(tokenize: Artifact) -> Pairs:
    if not tokenize.has("train.arrow"):
        raise ConfigError("corpus.train is empty: a vocabulary is learned from the training split, so name one.")
    return read_pairs(tokenize.file("train.arrow"))


def _tags(pairs: Pairs) -> list[str]:
    if pairs.source_language == pairs.target_language:
        raise ConfigError(
            f"vocabulary.language_tags tell two languages apart, and both sides of the corpus are "
            f"{pairs.source_language}: set vocabulary.language_tags=false."
        )
    return [language_tag(language) for language in (pairs.source_language, pairs.target_language)]


def count_pieces(sentences: Iterable[str]) -> Counter[str]:
    """How often each piece occurs in sentences whose pieces are joined by single spaces."""
    return Counter(piece for sentence in sentences for piece in sentence.split())


def build_tokenizer(
    settings: VocabularySettings, pieces: Counter[str], rules: str, tags: Sequence[str] = ()
) -> Tokenizer:
    """A complete tokenizer over counted pieces; `rules` is the JSON text of `rules.json`. Raises ConfigError.

    `tags` get the numbers after the special tokens.
    """
    tokenizer = Tokenizer.from_str(rules)
    tokenizer.model = MODELS[settings.kind](settings, pieces, [*SPECIAL_TOKENS, *tags])
    tokenizer.decoder = build_decoder(settings.kind, tags)
    return tokenizer


def build_decoder(kind: str, tags: Sequence[str] = ()) -> decoders.Decoder:
    """Tokens to detokenized text: no padding, bos, eos or tag, and `⁇` where a token is unknown (as SentencePiece)."""
    unknown = f"{BOUNDARY}⁇" if kind == "word" else "⁇"  # an unknown word takes its boundary with it
    silent = [decoders.Replace(token, "") for token in (*(SPECIAL_TOKENS[index] for index in (PAD, BOS, EOS)), *tags)]
    spaced = decoders.Metaspace(BOUNDARY, "never")
    return decoders.Sequence(
        [*silent, decoders.Replace(SPECIAL_TOKENS[UNK], unknown), spaced, decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )


def _words(settings: VocabularySettings, pieces: Counter[str], special: list[str]) -> models.Model:
    ranked = sorted((-count, piece) for piece, count in pieces.items() if count >= settings.min_frequency)
    words = [piece for _, piece in ranked[: settings.size - len(special)]]
    numbered = {token: index for index, token in enumerate([*special, *words])}
    return models.WordLevel(numbered, unk_token=SPECIAL_TOKENS[UNK])


def _byte_pairs(settings: VocabularySettings, pieces: Counter[str], special: list[str]) -> models.Model:
    _require_room_for_characters(settings, pieces, special)
    trainer = trainers.BpeTrainer(
        vocab_size=settings.size,
        min_frequency=settings.min_frequency,
        special_tokens=special,
        show_progress=False,
    )
    learner = Tokenizer(models.BPE(unk_token=SPECIAL_TOKENS[UNK], fuse_unk=True))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator((" ".join([piece] * count) for piece, count in sorted(pieces.items())), trainer)
    trained: models.Model = learner.model
    return trained


def _unigram(settings: VocabularySettings, pieces: Counter[str], special: list[str]) -> models.Model:
    _require_room_for_characters(settings, pieces, special)
    unscored = [(token, 0.0) for token in special]
    return models.Unigram([*unscored, *learn_unigram(pieces, settings.size - len(special))], UNK, False)


def _require_room_for_characters(settings: VocabularySettings, pieces: Counter[str], special: list[str]) -> None:
    needed = len({character for piece in pieces for character in piece}) + len(special)
    if needed > settings.size:
        raise ConfigError(
            f"vocabulary.size = {settings.size} is too small for {settings.kind}: the training text has "
            f"{needed - len(special):,} different characters, and each needs a token beside the "
            f"{len(special)} special ones. Set vocabulary.size to {needed} or more, or clean the corpus."
        )


MODELS = {"word": _words, "bpe": _byte_pairs, "unigram": _unigram}


def _measure(tokenizer: Tokenizer, pieces: Counter[str]) -> dict[str, Any]:
    """Size and fit of a vocabulary on the pieces of its own side of the training split.

    `covered`: share of running pieces without an unknown token; `unknown_rate`: share of tokens that are unknown;
    `tokens_per_word`: tokens for each run without white space; `frequent_unknown`: pieces with unknown tokens.
    """
    cut = pre_cut(tokenizer)
    known = list(pieces)
    ids = [encoding.ids for encoding in cut.encode_batch_fast(known)]
    tokens = sum(len(row) * pieces[piece] for piece, row in zip(known, ids, strict=True))
    unknown = sum(row.count(UNK) * pieces[piece] for piece, row in zip(known, ids, strict=True))
    missing = Counter({piece: pieces[piece] for piece, row in zip(known, ids, strict=True) if UNK in row})
    words = sum(count for piece, count in pieces.items() if piece.startswith(BOUNDARY))
    ranked = sorted(missing.items(), key=lambda item: (-item[1], item[0]))
    return {
        "tokens": tokenizer.get_vocab_size(),
        "different_pieces": len(pieces),
        "covered": 1 - missing.total() / max(pieces.total(), 1),
        "unknown_rate": unknown / max(tokens, 1),
        "tokens_per_word": tokens / max(words, 1),
        "frequent_unknown": [[piece, count] for piece, count in ranked[:SHOWN_UNKNOWN_WORDS]],
    }


def pre_cut(tokenizer: Tokenizer) -> Tokenizer:
    """A copy of a tokenizer for text whose pieces are already cut and joined by single spaces."""
    copy = Tokenizer(tokenizer.model)
    copy.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return copy
