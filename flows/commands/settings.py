"""`python -m flows settings`: what can be set. It imports no Prefect."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from flows.commands.options import Settings
from flows.tables import show_table
from seq2seq.config import Config, load_config
from seq2seq.errors import ConfigError

LIMITS = {"exclusiveMinimum": "above", "minimum": "from", "exclusiveMaximum": "below", "maximum": "to"}
TYPES = {"boolean": "true, false", "integer": "whole number", "number": "number", "string": "text", "object": "table"}


def settings(
    config: str = "",
    /,
    *,
    settings: Settings | None = None,
    section: Annotated[str, Parameter(help="One section alone, for example training.")] = "",
) -> None:
    """Every setting: its value, what it may be, and what it does.

    Parameters
    ----------
    config
        Name of a preset or path of a TOML file, whose values are shown; without it, the defaults are.
    """
    chosen = load_config(config or "--set", settings or [], base=None if config else {})
    rows = [row for row in described(chosen) if not section or row[0].startswith(f"{section}.")]
    if not rows:
        raise ConfigError(f"There is no section {section!r}: it may be {', '.join(list(Config.model_fields)[1:])}.")
    show_table(rows, ("setting", "value", "may be", "what it is"))


def described(config: Config) -> Iterator[tuple[str, str, str, str]]:
    """Name, value as JSON (which TOML reads, too), what is allowed, and description of each setting."""
    schema = Config.model_json_schema()
    values = config.model_dump(mode="json")
    for name, setting in schema["properties"].items():
        if "$ref" not in setting:
            yield name, json.dumps(values[name], ensure_ascii=False), _allowed(setting), setting["description"]
            continue
        inner = schema["$defs"][setting["$ref"].rsplit("/", 1)[1]]["properties"]
        for key, each in inner.items():
            value = json.dumps(values[name][key], ensure_ascii=False)
            yield f"{name}.{key}", value, _allowed(each), each["description"]


def _allowed(setting: Mapping[str, Any]) -> str:
    if "enum" in setting:
        return ", ".join(map(json.dumps, setting["enum"]))
    kind = TYPES.get(setting.get("type", ""), "")
    limits = " ".join(f"{word} {setting[limit]}" for limit, word in LIMITS.items() if limit in setting)
    return f"{kind} {limits}".strip()
