"""Events of every form fit into one AsyncAPI document, whatever the names of their classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import jsonschema_rs
import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from choreography import Event, Id, Service, Value
from choreography.render.asyncapi import asyncapi_file
from choreography.render.source import RenderSource
from choreography.topics import TopicNaming

Item = TypeVar("Item")


class Colour(Enum):
    """An Enum."""

    RED = "red"


class Tin(Value):
    """One kind of pack."""

    of: Literal["tin"] = "tin"
    size: str


class Bag(Value):
    """Another, which holds packs."""

    of: Literal["bag"] = "bag"
    packs: tuple[Pack, ...] = ()


Pack = Annotated[Tin | Bag, Field(discriminator="of")]


class Box(Value, Generic[Item]):
    """Holds one thing."""

    item: Item


class Sold(Event, type="tea.sold.v1", subject="sale_id"):
    """Everything that needs words in a schema."""

    model_config = ConfigDict(alias_generator=to_camel)
    sale_id: Id
    pack: Pack
    discriminator: dict[Colour, Box[Decimal]] = {}  # noqa: RUF012 - frozen; and a field may have any name
    pair: tuple[str, Colour]
    kept: timedelta = timedelta(days=1)
    at: datetime


class Tea:
    """Where a second class of the same name stands."""

    class Tin(Value):
        """Not the other Tin."""

        grams: int

    class Sold(Event, type="tin.sold.v1", subject="tin"):
        """Not the other Sold."""

        tin: Id
        tins: tuple[Tea.Tin, ...]

    class Envelope(Event, type="letter.sent.v1", subject="tin"):
        """What we call the envelope around every event."""

        tin: Id


Bag.model_rebuild()
Tea.Sold.model_rebuild()

SAYINGS = (
    Sold(
        sale_id="s1",
        pack=Bag(packs=(Tin(size="small"), Bag())),
        discriminator={Colour.RED: Box[Decimal](item=Decimal("0.10"))},
        pair=("a", Colour.RED),
        at=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    Tea.Sold(tin="t1", tins=(Tea.Tin(grams=5),)),
    Tea.Envelope(tin="t1"),
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of two services."""
    tea = Service("shop", publishes=[Sold])
    tins = Service("factory", publishes=[Tea.Sold, Tea.Envelope])
    source = RenderSource(
        name="tea",
        title="Tea",
        about="About tea.",
        services=(tea, tins),
        folder=Path(),
        root=Path(),
        rendered=Path(),
        brokers=(),
        stores=(),
        names=TopicNaming("tea"),
    )
    (text,) = asyncapi_file(source).values()
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def references(part: Any) -> Iterator[str]:
    """Return everything that is referred to."""
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_the_asyncapi_projects_schema_accepts_every_kind(
    document: dict[str, Any], asyncapi_schema: dict[str, Any]
) -> None:
    """Unions told apart by a field, dicts, tuples, generics and what holds its own kind."""
    assert [error.message for error in jsonschema_rs.validator_for(asyncapi_schema).iter_errors(document)] == []


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    """This includes references inside schemas; none points into a schema of its own."""
    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in found, reference
            found = found[step]
    assert "#/$defs/" not in json.dumps(document)
    assert "mapping" not in json.dumps(document)


@pytest.mark.parametrize("said", SAYINGS, ids=lambda one: one.wire_type)
def test_what_is_said_fits_its_own_message_and_no_other(document: dict[str, Any], said: Event) -> None:
    """Two classes of one name are two messages, each with its own parts."""
    plain = json.loads(said.model_dump_json())
    fitting = []
    for message in document["components"]["messages"].values():
        data = message["payload"]["allOf"][1]["properties"]["data"]
        if Draft7Validator({**data, "components": document["components"]}).is_valid(plain):
            fitting.append(message["name"])
    assert said.wire_type in fitting
    assert (said.wire_type == "tea.sold.v1") == (fitting == ["tea.sold.v1"])
    assert document["components"]["schemas"].keys() >= {"Envelope", "CloudEventsEnvelope"}
