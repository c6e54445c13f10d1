"""What all sections of the configuration share."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class NotInKey:
    """Marks a field that says where or how fast, not what: it never makes a result stale."""


class Section(BaseModel):
    """One section of the configuration: immutable, and a misspelt setting is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def key_content(self) -> dict[str, Any]:
        """The settings that shape a result, as JSON values: what enters a cache key."""
        outside = {
            name
            for name, field in type(self).model_fields.items()
            if any(isinstance(mark, NotInKey) for mark in field.metadata)
        }
        return self.model_dump(mode="json", exclude=outside)
