"""The OpenAPI document describes each command's body, whatever the names of the bodies' classes."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from choreography import Decision, Entity, Event, Id, Request, Service, Value
from choreography.settings import Settings
from choreography.web.app import build_app


class Colour(Enum):
    """An Enum."""

    RED = "red"


class Card(Value):
    """One way to pay."""

    by: Literal["card"] = "card"
    last_four: str


class Cash(Value):
    """Another."""

    by: Literal["cash"] = "cash"
    coins: dict[str, Decimal] = {}  # noqa: RUF012 - frozen


class Wish(Value):
    """Holds its own kind."""

    name: str
    others: tuple[Wish, ...] = ()


class Placed(Event, type="order.placed.v1", subject="order_id"):
    """An order was placed."""

    order_id: Id


class Order(Entity, key="order_id"):
    """What a view shows."""

    order_id: Id
    colour: Colour = Colour.RED


class Place:
    """Where the first body of its name stands."""

    class Body(Request):
        """With names for the wire."""

        model_config = ConfigDict(alias_generator=to_camel)
        order_id: Id
        paid: Annotated[Card | Cash, Field(discriminator="by")]
        wishes: tuple[Wish, ...] = ()


class Again:
    """Where the second stands."""

    class Body(Request):
        """Another body."""

        why: Id

    class Order(Request):
        """A body with the name of the entity."""

        lines: tuple[int, ...]


orders = Service("orders", publishes=[Placed])
orders.view("/orders/{order_id}", Order)


@orders.command("POST /orders")
def place(body: Place.Body) -> Placed:
    """Place an order."""
    return Placed(order_id=body.order_id)


@orders.command("POST /orders/{order_id}/again")
def again(order_id: Id, body: Again.Body) -> Placed:
    """Place it again."""
    return Placed(order_id=f"{order_id}-{body.why}")


@orders.command("PUT /orders/{order_id}")
def replace(order_id: Id, body: Again.Order) -> Placed:
    """Replace it."""
    return Placed(order_id=f"{order_id}-{len(body.lines)}")


@orders.on(Placed)
def keep(order: Order, placed: Placed) -> Decision:
    """Keep it."""
    return order.but(colour=Colour.RED) if placed else order


BODIES = (
    ("/orders", "post", Place.Body(order_id="o1", paid=Cash(coins={"EUR": Decimal("0.50")}), wishes=(Wish(name="a"),))),
    ("/orders/{order_id}/again", "post", Again.Body(why="lost")),
    ("/orders/{order_id}", "put", Again.Order(lines=(1, 2))),
)


@pytest.fixture(scope="module")
async def document() -> dict[str, Any]:
    """Return the document as it is served; it is requested twice, as browsers do."""
    front = build_app(orders, Settings(sidecar="http://127.0.0.1:9", self_check=False), print)
    async with front.app.router.lifespan_context(front.app):
        await asyncio.sleep(0)
        assert front.app.openapi() == front.app.openapi()
        content: dict[str, Any] = json.loads(json.dumps(front.app.openapi()))
    return content


def test_the_document_fits_the_schema_of_its_format(document: dict[str, Any]) -> None:
    """The schema is that of OpenAPI 3.1."""
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    """This includes references of discriminators."""
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named - document["components"]["schemas"].keys() == set()
    assert "#/$defs/" not in json.dumps(document)


@pytest.mark.parametrize(("path", "method", "body"), BODIES)
def test_a_body_fits_what_the_document_says_of_its_route(
    document: dict[str, Any], path: str, method: str, body: Request
) -> None:
    """It fits no other route's schema."""
    plain = json.loads(body.model_dump_json())
    for other_path, other_method, _ in BODIES:
        schema = document["paths"][other_path][other_method]["requestBody"]["content"]["application/json"]["schema"]
        fits = Draft202012Validator({**schema, "components": document["components"]}).is_valid(plain)
        assert fits == ((path, method) == (other_path, other_method))


def test_what_a_view_shows_keeps_its_name(document: dict[str, Any]) -> None:
    """A body of the same name gets another name."""
    shown = document["paths"]["/orders/{order_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert "colour" in document["components"]["schemas"][shown["$ref"].rpartition("/")[2]]["properties"]
