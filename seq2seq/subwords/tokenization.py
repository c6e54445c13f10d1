"""The `tokenize` step: text into words and punctuation, so that the text can be had back.

A word boundary is kept in the pieces themselves: every run of text after white space begins with `▁` (U+2581),
as in SentencePiece (Kudo and Richardson 2018), and a punctuation mark that follows a word without a space has no mark:

    A man, 3 dogs.   →   ▁A ▁man , ▁3 ▁dogs .

Joining the pieces and turning each mark into a space gives the normalised text again, whatever it was (only U+2581
itself comes back as a space).
"""

from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from seq2seq.corpora.pairs import SIDES, pairs_of, read_pairs, write_pairs
from seq2seq.corpora.whitespace import INVISIBLE, WHITE_SPACE
from seq2seq.pipeline import Job
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.storage.artifacts import Artifact

BOUNDARY = "▁"

# Letters, their marks, digits and the two joiners that hold words of Indic and Arabic scripts together.
WORD_CHARACTER = "[\\p{L}\\p{M}\\p{N}\u200c\u200d]"
INNER_MARK = "['\u2019\u2010\u2011-]"
PIECE = f"{BOUNDARY}?(?:{WORD_CHARACTER}+(?:{INNER_MARK}{WORD_CHARACTER}+)*|.)"

UNICODE_FORMS = {"nfc": normalizers.NFC, "nfkc": normalizers.NFKC}


def tokenize(tokenization: TokenizationSettings, clean: Artifact, job: Job) -> dict[str, Any]:
    """Write `rules.json` and, for each split there is, the pieces of each sentence joined by single spaces."""
    rules = build_rules(tokenization)
    rules.save(str(job.into / "rules.json"))
    statistics = {}
    for split in ("train", "valid"):
        if not clean.has(f"{split}.arrow"):
            continue
        pairs = read_pairs(clean.file(f"{split}.arrow"))
        pieces = {side: [cut(rules, text) for text in pairs.texts(side)] for side in SIDES}
        write_pairs(job.into / f"{split}.arrow", pairs_of(pairs.source_language, pairs.target_language, **pieces))
        statistics[split] = {f"{side}_pieces": sum(len(text.split()) for text in pieces[side]) for side in SIDES}
    return {"splits": statistics}


def build_rules(settings: TokenizationSettings) -> Tokenizer:
    """A tokenizer without a vocabulary: normaliser, pre-tokenizer and decoder."""
    rules = Tokenizer(models.WordLevel({}, ""))
    steps: list[Any] = [normalizers.Replace(Regex(INVISIBLE), "")]
    if settings.normalization != "none":
        steps.append(UNICODE_FORMS[settings.normalization]())
    steps += [normalizers.Replace(Regex(f"{WHITE_SPACE}+"), " "), normalizers.Strip()]
    if settings.lowercase:
        steps.append(normalizers.Lowercase())
    rules.normalizer = normalizers.Sequence(steps)
    rules.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(BOUNDARY, "always"), pre_tokenizers.Split(Regex(PIECE), "isolated")]
    )
    rules.decoder = decoders.Metaspace(BOUNDARY, "always")
    return rules


def cut(rules: Tokenizer, text: str) -> str:
    """The pieces of a text, joined by single spaces; no piece holds white space."""
    pieces = rules.pre_tokenizer.pre_tokenize_str(rules.normalizer.normalize_str(text))
    return " ".join(piece for piece, _ in pieces)
