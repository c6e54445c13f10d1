"""The `fetch` step: sentence pairs from wherever they are, into one form.

The sources are imported when they are needed: `identity` runs even when nothing is to be done, and has to be
fast (importing `datasets` alone takes 1.6 seconds).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seq2seq.errors import ConfigError, CorpusError
from seq2seq.pipeline import Job
from seq2seq.settings.corpus import CorpusSettings

if TYPE_CHECKING:
    from seq2seq.corpora.pairs import Pairs

DEMO_LANGUAGES = ("ko", "en")
DEMO_SPLITS = ("train", "valid", "test")


def can_change(settings: CorpusSettings) -> bool:
    """Whether only the network can say which version of the corpus there is today."""
    if settings.kind == "url":
        from seq2seq.corpora import url

        return url.can_change(settings)
    if settings.kind == "hub":
        from seq2seq.corpora import hub

        return not hub.COMMIT.fullmatch(settings.revision)
    return False


def pin(settings: CorpusSettings) -> CorpusSettings:
    """The settings with the revision that there is today: a Hub's commit, a digest of what a web server says.

    Uses the network where `can_change` says so; other settings come back unchanged. Raises ConfigError, CorpusError
    and SourceUnavailable.
    """
    if settings.kind != "hub" and not can_change(settings):
        return settings
    from seq2seq.corpora import hub, url

    revision = hub.resolve_revision(settings) if settings.kind == "hub" else url.current_revision(settings)
    return settings.model_copy(update={"revision": revision})


def identity(settings: CorpusSettings) -> dict[str, Any]:
    """What the corpus is, as JSON values: equal identities mean equal sentence pairs.

    No network. Settings that mean nothing to the corpus' kind are left out, and so is the place where files lie.
    Raises CorpusError when files are missing.
    """
    held_out = settings.held_out()
    return _whole(settings) | ({"held_out": held_out} if held_out else {})


def _whole(settings: CorpusSettings) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "kind": settings.kind,
        "languages": [settings.source_language, settings.target_language],
    }
    if settings.kind == "demo":
        counts = [settings.train_pairs, settings.valid_pairs, settings.test_pairs]
        return chosen | {"splits": settings.split_names(), "pairs": counts, "seed": settings.seed}
    if settings.kind == "files":
        from seq2seq.corpora import files

        return chosen | files.identity(settings)
    if settings.kind == "url":
        from seq2seq.corpora import url

        return chosen | url.identity(settings)
    return chosen | {
        "dataset": settings.dataset,
        "subset": settings.subset,
        "revision": settings.revision,
        "splits": settings.split_names(),
        "columns": list(settings.columns()),
    }


def fetch(corpus: CorpusSettings, job: Job) -> dict[str, Any]:
    """Write `train.arrow`, `valid.arrow` and `test.arrow`, those that were asked for.

    Splits without a name are held out of the training split (see `seq2seq.corpora.held_out`). A revision that is not
    pinned is pinned first; the statistics name it, and the SHA-256s of what was downloaded.

    Raises ConfigError, CorpusError and SourceUnavailable; CorpusError also when the corpus is no longer what the job
    took it for.
    """
    from seq2seq.corpora.pairs import write_pairs

    if not corpus.split_names():
        raise ConfigError("corpus.train, corpus.valid and corpus.test are all empty: name at least one split.")
    corpus = pin(corpus)
    splits, origin = _splits(corpus, job)
    if job.source not in (None, identity(corpus)):
        raise CorpusError(
            f"{corpus.directory or 'the corpus'} changed while it was read: nothing is recorded. Start again once the "
            "files are complete."
        )
    if counts := corpus.held_out():
        from seq2seq.corpora.held_out import hold_out

        splits = {**splits, **hold_out(splits["train"], counts)}
    for split, pairs in splits.items():
        write_pairs(job.into / f"{split}.arrow", pairs)
    return {"splits": {split: _measure(pairs) for split, pairs in splits.items()}} | origin


def _splits(corpus: CorpusSettings, job: Job) -> tuple[Mapping[str, "Pairs"], dict[str, Any]]:
    """The sentence pairs of each split, and what the statistics say of where they came from."""
    if corpus.kind == "demo":
        return _demo(corpus), {}
    if corpus.kind == "files":
        from seq2seq.corpora import files

        return files.read(corpus), {}
    if corpus.kind == "url":
        from seq2seq.corpora import url

        splits, sums = url.read(corpus, job.downloads or job.checkpoints)
        return splits, {"revision": corpus.revision, "sha256": sums}
    from seq2seq.corpora import hub

    return hub.read(corpus), {"revision": corpus.revision}


def _demo(corpus: CorpusSettings) -> Mapping[str, "Pairs"]:
    from seq2seq.corpora.demo.grammar import generate
    from seq2seq.corpora.pairs import pairs_of

    languages = (corpus.source_language, corpus.target_language)
    if sorted(languages) != sorted(DEMO_LANGUAGES):
        raise ConfigError(
            f"corpus.kind = demo is Korean and English (ko, en), not {' and '.join(languages)}: set "
            "corpus.source_language and corpus.target_language to ko and en, either way round; for texts of your own "
            "set corpus.kind = files and corpus.directory."
        )
    for split, name in corpus.split_names().items():
        if name not in DEMO_SPLITS:
            raise ConfigError(
                f"corpus.kind = demo has no split {name}: set corpus.{split} to one of {', '.join(DEMO_SPLITS)}."
            )
    made = generate(corpus.train_pairs, corpus.valid_pairs, corpus.test_pairs, corpus.seed)
    step = 1 if languages == DEMO_LANGUAGES else -1
    splits = {split: list(zip(*made[name], strict=True))[::step] for split, name in corpus.split_names().items()}
    return {split: pairs_of(*languages, *sides) for split, sides in splits.items()}


def _measure(pairs: "Pairs") -> dict[str, int]:
    """Pairs, and words (by white space) and characters of both sides."""
    texts = {side: pairs.texts(side) for side in ("source", "target")}
    words = {f"{side}_words": sum(len(text.split()) for text in texts[side]) for side in texts}
    characters = {f"{side}_characters": sum(map(len, texts[side])) for side in texts}
    return {"pairs": len(pairs), **words, **characters}
