"""The `vocabulary` step: what a token is, learned from the training split only."""

import shutil
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from seq2seq.artifacts import Artifact
from seq2seq.corpora.pairs import read_pairs
from seq2seq.pipeline import Job
from seq2seq.settings.vocabulary import VocabularySettings
from seq2seq.special_tokens import SPECIAL_TOKENS, UNK

SIDES = ("source", "target")


def learn(vocabulary: VocabularySettings, tokenize: Artifact, job: Job) -> dict[str, Any]:
    """Write `source_tokenizer.json` and `target_tokenizer.json`: raw text in, ids out, and back."""
    frame = read_pairs(tokenize.file("train.arrow")).frame
    rules = tokenize.file("rules.json").read_text(encoding="utf-8")
    texts = {side: frame[side].tolist() for side in SIDES}
    if vocabulary.joint:
        shared = build_tokenizer(vocabulary, texts["source"] + texts["target"], rules)
        tokenizers = dict.fromkeys(SIDES, shared)
    else:
        tokenizers = {side: build_tokenizer(vocabulary, texts[side], rules) for side in SIDES}
    for side, tokenizer in tokenizers.items():
        tokenizer.save(str(job.into / f"{side}_tokenizer.json"))
    return {side: {"tokens": tokenizers[side].get_vocab_size()} for side in SIDES}


def build_tokenizer(settings: VocabularySettings, sentences: list[str], rules: str) -> Tokenizer:
    """A complete tokenizer over pre-tokenised `sentences`; `rules` is the JSON of what cut them."""
    if settings.kind == "word":
        model = _word_model(settings, sentences)
    else:
        model = _subword_model(settings, sentences)
    tokenizer = Tokenizer.from_str(rules)
    tokenizer.model = model
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def _word_model(settings: VocabularySettings, sentences: Iterable[str]) -> models.WordLevel:
    counts = Counter(piece for sentence in sentences for piece in sentence.split(" ") if piece)
    frequent = sorted((-count, piece) for piece, count in counts.items() if count >= settings.min_frequency)
    words = [piece for _, piece in frequent[: settings.size - len(SPECIAL_TOKENS)]]
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *words])}
    return models.WordLevel(vocabulary, unk_token=SPECIAL_TOKENS[UNK])


def _subword_model(settings: VocabularySettings, sentences: list[str]) -> models.Model:
    unknown = SPECIAL_TOKENS[UNK]
    common = {"vocab_size": settings.size, "special_tokens": list(SPECIAL_TOKENS), "show_progress": False}
    if settings.kind == "bpe":
        learner = Tokenizer(models.BPE(unk_token=unknown, fuse_unk=True))
        trainer = trainers.BpeTrainer(min_frequency=settings.min_frequency, **common)
    else:
        learner = Tokenizer(models.Unigram())
        trainer = trainers.UnigramTrainer(unk_token=unknown, **common)
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(sentences, trainer)
    return learner.model
