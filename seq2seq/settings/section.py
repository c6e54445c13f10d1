"""What all sections of the configuration share."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class NotInKey:
    """Marks a field that says where or how fast, not what: it never makes a result stale."""


def _number_properties(schema: dict[str, Any]) -> None:
    """Give each property its `position`: a form goes by it where a database does not keep the order of JSON."""
    for position, setting in enumerate(schema.get("properties", {}).values()):
        setting["position"] = position


class Section(BaseModel):
    """One section of the configuration: immutable, and a misspelt setting is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        model_title_generator=lambda section: section.__name__.removesuffix("Settings"),
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
        json_schema_extra=_number_properties,
    )

    def key_content(self) -> dict[str, Any]:
        """The settings that shape a result, as JSON values: what enters a cache key."""
        outside = {
            name
            for name, field in type(self).model_fields.items()
            if any(isinstance(mark, NotInKey) for mark in field.metadata)
        }
        return self.model_dump(mode="json", exclude=outside)
