"""The schemas of a flow's events in the form of AsyncAPI: all in one place, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from choreography.contracts import Event

_SCHEMAS: Final = "#/components/schemas/"


@dataclass(frozen=True)
class Payloads:
    """The schemas of the events of a flow.

    Attributes:
        references: the reference to the schema of each event.
        messages: the message name of each event: the name of its class, or its wire type if two events share a class
            name.
        schemas: every schema by its name, in the words of JSON Schema draft 7.
        envelope: a free name for the envelope around them.
    """

    references: Mapping[type[Event], Mapping[str, Any]]
    messages: Mapping[type[Event], str]
    schemas: Mapping[str, Any]
    envelope: str


def payloads_of(events: Sequence[type[Event]]) -> Payloads:
    """Describe events together, so that two classes of one name get two names, and every reference uses these."""
    found, made = models_json_schema([(event, "validation") for event in events], ref_template=_SCHEMAS + "{model}")
    schemas = {name: as_draft_7(schema) for name, schema in made.get("$defs", {}).items()}
    times = Counter(event.__name__ for event in events)
    envelope = "Envelope"
    while envelope in schemas:
        envelope = f"CloudEvents{envelope}"
    return Payloads(
        {event: found[event, "validation"] for event in events},
        {event: event.__name__ if times[event.__name__] == 1 else event.wire_type for event in events},
        schemas,
        envelope,
    )


def as_draft_7(schema: Any, *, names: bool = False) -> Any:
    """Return a schema in the words of JSON Schema draft 7. ``names``: the keys are names of fields."""
    if isinstance(schema, list):
        return [as_draft_7(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    if names:
        return {key: as_draft_7(part) for key, part in schema.items()}
    moved = {
        key: as_draft_7(part, names=key in ("properties", "patternProperties", "$defs"))
        for key, part in schema.items()
        # In AsyncAPI a discriminator names schemas, not values; the constants in the alternatives do the same.
        if key != "discriminator"
    }
    if "prefixItems" in moved:
        if "items" in moved:
            moved["additionalItems"] = moved.pop("items")
        moved["items"] = moved.pop("prefixItems")
    return moved
