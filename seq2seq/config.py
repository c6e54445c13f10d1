"""The whole configuration: a preset or a TOML file, with single settings set on top."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from math import ceil
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from seq2seq.errors import ConfigError, did_you_mean
from seq2seq.settings.cleaning import CleaningSettings
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.promotion import PromotionSettings
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.settings.section import NotInKey, Section
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.settings.vocabulary import VocabularySettings

PRESETS = Path(__file__).parent / "presets"
CHINESE = {"zh", "zho", "chi", "cmn", "yue", "wuu", "nan", "hak", "lzh"}
WITHOUT_SPACES = CHINESE | {"bo", "bod", "dz", "dzo", "ja", "jpn", "km", "khm", "lo", "lao", "my", "mya", "th", "tha"}
"""Languages in which BLEU has to count characters, or words that sacreBLEU can tell from them."""
ScoredT = TypeVar("ScoredT", TrainingSettings, EvaluationSettings)


class Config(Section):
    """One section for each step that has settings, and the machine's own."""

    name: Annotated[str, NotInKey()] = Field(
        default="translator",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of the model's folder and of its runs: letters, digits, dots, underscores and hyphens, "
        "first a letter or a digit.",
    )
    corpus: CorpusSettings = Field(default_factory=CorpusSettings, description="Where the sentence pairs come from.")
    cleaning: CleaningSettings = Field(default_factory=CleaningSettings, description="Which pairs are dropped.")
    tokenization: TokenizationSettings = Field(
        default_factory=TokenizationSettings, description="How text is normalised and cut."
    )
    vocabulary: VocabularySettings = Field(default_factory=VocabularySettings, description="What a token is.")
    model: ModelSettings = Field(default_factory=ModelSettings, description="The encoder-decoder.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="How it is trained.")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, description="How it is scored.")
    promotion: Annotated[PromotionSettings, NotInKey()] = Field(
        default_factory=PromotionSettings, description="When a retrained model takes the place of the one in use."
    )
    runtime: Annotated[RuntimeSettings, NotInKey()] = Field(
        default_factory=RuntimeSettings, description="The machine at hand."
    )

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in ("versions", "champion.json"):
            raise ValueError(f"{name} is a name that the folder of a language pair needs for itself")
        return name

    @field_validator("corpus")
    @classmethod
    def _there_is_something_to_learn_from(cls, corpus: CorpusSettings) -> CorpusSettings:
        if not corpus.train:
            raise ValueError("train is empty: name the split to learn from")
        return corpus

    @field_validator("corpus")
    @classmethod
    def _place_is_read(cls, corpus: CorpusSettings) -> CorpusSettings:
        """A place that is set means its kind; what else the kind does not read (of a preset, say) goes."""
        for place, kind in (("directory", "files"), ("address", "url")):
            if getattr(corpus, place) and corpus.kind != kind:
                raise ValueError(
                    f"{place} is set, and kind = {corpus.kind} does not read it: set corpus.kind = {kind}, or leave "
                    f"corpus.{place} empty"
                )
        return corpus.as_read()

    @field_validator("model")
    @classmethod
    def _shared_embeddings_have_one_vocabulary(cls, model: ModelSettings, known: ValidationInfo) -> ModelSettings:
        vocabulary = known.data.get("vocabulary")
        if vocabulary and model.share_embeddings and not vocabulary.joint:
            raise ValueError(
                "share_embeddings = true needs one vocabulary for both sides, and vocabulary.joint is false: set "
                "vocabulary.joint = true or model.share_embeddings = false"
            )
        return model

    @field_validator("training")
    @classmethod
    def _words_can_be_cut_so(cls, training: TrainingSettings, known: ValidationInfo) -> TrainingSettings:
        vocabulary = known.data.get("vocabulary")
        for name, kind in (("subword_dropout", "bpe"), ("subword_temperature", "unigram")):
            value = getattr(training, name)
            if vocabulary and value and vocabulary.kind != kind:
                raise ValueError(
                    f"{name} = {value:g} cuts the words of a {kind} vocabulary, and vocabulary.kind is "
                    f"{vocabulary.kind}: set training.{name} = 0 or vocabulary.kind = {kind}"
                )
        return training

    @field_validator("training", "evaluation")
    @classmethod
    def _bleu_finds_words(cls, section: ScoredT, known: ValidationInfo) -> ScoredT:
        corpus = known.data.get("corpus")
        language = corpus.target_language if corpus else ""
        code = re.split("[-_]", language.lower())[0]
        if code in WITHOUT_SPACES and section.bleu_tokenizer in ("13a", "intl"):
            wanted = "zh or char" if code in CHINESE else "char"
            raise ValueError(
                f"bleu_tokenizer = {section.bleu_tokenizer} cuts words at spaces, and {language} is written without: "
                f"set training.bleu_tokenizer and evaluation.bleu_tokenizer to {wanted}"
            )
        return section

    @field_validator("promotion")
    @classmethod
    def _level_can_be_reached(cls, promotion: PromotionSettings, known: ValidationInfo) -> PromotionSettings:
        evaluation = known.data.get("evaluation")
        samples = evaluation.bootstrap_samples if evaluation else 0
        if samples and promotion.policy != "always" and promotion.level * (samples + 1) <= 1:
            raise ValueError(
                f"no p-value of {samples:,} resamples is below level = {promotion.level:g}: set "
                f"evaluation.bootstrap_samples to {ceil(1 / promotion.level)} or more, or raise the level"
            )
        return promotion

    def section(self, name: str) -> Section:
        """A section by its name."""
        section: Section = getattr(self, name)
        return section

    def key_content(self) -> dict[str, Any]:
        """The settings that shape a model and its scores, by section, as JSON values."""
        return {name: self.section(name).key_content() for name in super().key_content()}


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(source: str, settings: Iterable[str] = (), base: Mapping[str, Any] | None = None) -> Config:
    """Read a preset (by name) or a TOML file (by path) and set `section.field=value` settings on top.

    A file that begins with `preset = "NAME"` says only what is different from that preset.
    Relative paths count from the TOML file's folder in the file, and from the current directory in `settings`.
    `base` takes the place of `source` when it is given; the address of its corpus goes when the settings name another
    kind. Raises ConfigError.
    """
    values = dict(base) if base is not None else _read(source)
    overrides = [_parse_setting(setting) for setting in settings]
    corpus = values.get("corpus")
    if base is not None and isinstance(corpus, dict) and ["corpus", "kind"] in [path for path, _ in overrides]:
        values["corpus"] = {name: value for name, value in corpus.items() if name != "address"}
    for path, value in overrides:
        _set(values, path, value)
    return validate_config(values, source)


def validate_config(values: Mapping[str, Any], source: str = "configuration") -> Config:
    """Check plain values against the sections; ConfigError names each wrong setting and what it may be."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(problem)}" for problem in error.errors())
        count = error.error_count()
        raise ConfigError(f"{source}: {count} wrong setting{'s' if count > 1 else ''}:\n{problems}") from None


def _read(source: str) -> dict[str, Any]:
    preset = PRESETS / f"{source}.toml"
    path = preset if source in preset_names() else Path(source)
    if not path.is_file():
        raise ConfigError(
            f"{source} is neither a preset nor a file here.{did_you_mean(source, preset_names())} "
            f"Presets: {', '.join(preset_names())}; or give the path of a TOML file."
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    directory = values.get("corpus", {}).get("directory") if isinstance(values.get("corpus"), dict) else None
    if isinstance(directory, str) and directory:
        values["corpus"]["directory"] = os.path.normpath(path.resolve().parent / os.path.expanduser(directory))
    values.setdefault("name", path.stem)
    return _on_top_of_preset(values, path) if "preset" in values else values


def _on_top_of_preset(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The preset that the file names, with the file's settings in the place of its own."""
    preset = values.pop("preset")
    if preset not in preset_names():
        raise ConfigError(f"{path}: there is no preset {preset!r}. Presets: {', '.join(preset_names())}.")
    base = _read(preset)
    return base | {name: _laid_over(base.get(name), value) for name, value in values.items()}


def _laid_over(below: Any, above: Any) -> Any:
    return below | above if isinstance(below, dict) and isinstance(above, dict) else above


def _parse_setting(setting: str) -> tuple[list[str], Any]:
    name, equals, text = setting.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set {setting}: write section.field=value, for example training.learning_rate=0.001.")
    path = name.strip().split(".")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # plain words need no quotes: corpus.kind=files
    if _takes_text(path) and not isinstance(value, str):
        value = text  # nor does what elsewhere is a number or a date: corpus.test=2016
    if path == ["corpus", "directory"] and value:
        value = os.path.abspath(os.path.expanduser(value))
    return path, value


def _takes_text(path: list[str]) -> bool:
    field = _section(path).model_fields.get(path[-1])
    return field is not None and field.annotation is str


def _set(values: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = values.get(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(path)}: {name} is a setting, not a section.")
        values[name] = inner = dict(inner)
        values = inner
    values[path[-1]] = value


def _explain(problem: Any) -> str:
    place = [str(part) for part in problem["loc"]]
    name, given = ".".join(place), problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            return f"{name}: no such setting; {_meant(place)}"
        case "value_error":  # of our own, which says it all
            return f"{name}: {problem['ctx']['error']}"
        case "string_pattern_mismatch":
            setting = place[1] if len(place) > 1 else name
            return f"{name}: {given!r} does not fit. {_section(place).model_fields[setting].description}"
    return f"{name}: {problem['msg']}" + (f", not {given!r}" if not isinstance(given, dict) else "")


def _sections() -> dict[str, type[Section]]:
    fields = {name: getattr(Config(), name) for name in Config.model_fields}
    return {name: type(value) for name, value in fields.items() if isinstance(value, Section)}


def _section(place: list[str]) -> type[Section]:
    """The section that a setting is in, or would be."""
    return _sections().get(place[0], Config) if len(place) > 1 else Config


def _meant(place: list[str]) -> str:
    """The setting that someone may have had in mind: of that name elsewhere, or of a name like it here."""
    name = place[-1]
    if elsewhere := [f"{section}.{name}" for section, one in _sections().items() if name in one.model_fields]:
        return f"did you mean {' or '.join(elsewhere)}?"
    known = list(_section(place).model_fields)
    return did_you_mean(name, known, "did") or f"there are: {', '.join(known)}"
