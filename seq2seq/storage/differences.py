"""In what two sets of nested settings differ."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Place = tuple[str, ...]
"""Names from the outside in: ("training", "seed")."""


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], levels: int | None = None
) -> list[tuple[Place, Any, Any]]:
    """Where they differ, in their order: place, value in `old`, value in `new`; None where it has none.

    What is nested deeper than so many `levels` is a value.
    """
    before, after = dict(leaves(old, levels)), dict(leaves(new, levels))
    return [
        (place, before.get(place), after.get(place))
        for place in before | after
        if before.get(place) != after.get(place)
    ]


def leaves(value: Any, levels: int | None = None, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Values that are no mapping, or lie as deep as `levels`, each with its place."""
    if not isinstance(value, Mapping) or len(place) == levels:
        yield place, value
    else:
        for name, inner in value.items():
            yield from leaves(inner, levels, (*place, str(name)))


def as_setting(value: Any) -> str:
    """A setting as one would write it: words without quotes, the rest as in JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
