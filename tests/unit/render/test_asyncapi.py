"""The AsyncAPI document passes the AsyncAPI project's own schema, and says what the code says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
import yaml

from apps.checkout.contracts import OrderCreated
from choreography.flow import services_of
from choreography.render import render


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, as another program reads it."""
    (text,) = (text for path, text in render("apps.checkout").items() if path.name == "asyncapi.yaml")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def test_the_asyncapi_projects_schema_accepts_it(document: dict[str, Any], asyncapi_schema: dict[str, Any]) -> None:
    """It refuses a document with a mistake, which proves that it checks."""
    validator = jsonschema_rs.validator_for(asyncapi_schema)
    assert [error.message for error in validator.iter_errors(document)] == []
    assert not validator.is_valid(document | {"operations": {"order-says": {"action": "shout"}}})


def test_every_event_is_a_message_on_its_topic(document: dict[str, Any]) -> None:
    """Its name is its wire type."""
    for service in services_of("apps.checkout"):
        for event in service.publishes:
            assert event.__name__ in document["channels"][event.topic]["messages"]
            assert document["components"]["messages"][event.__name__]["name"] == event.wire_type


def test_who_says_and_who_hears_what_are_operations(document: dict[str, Any]) -> None:
    """A reader finds the consumers of a topic."""
    said = document["operations"]["billing-says-payment.charged"]
    heard = document["operations"]["shipping-hears-payment.charged"]
    assert said["action"] == "send"
    assert heard["action"] == "receive"
    assert [one["$ref"].rpartition("/")[2] for one in heard["messages"]] == ["PaymentCharged"]
    assert document["channels"]["payment.charged"]["address"] == "checkout.payment.charged"


def test_an_undoing_event_says_what_it_undoes(document: dict[str, Any]) -> None:
    """It stands in an extension, because AsyncAPI has no field for it."""
    assert document["components"]["messages"]["PaymentRefunded"]["x-undoes"] == "payment.charged.v1"


def test_examples_are_valid_by_the_schema_beside_them_and_by_the_model(document: dict[str, Any]) -> None:
    """An example that is not validated will be wrong one day."""
    schemas = document["components"]["schemas"]
    for name, message in document["components"]["messages"].items():
        (shown,) = message["examples"]
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema_rs.validate(schema, shown["payload"]["data"])
    created = document["components"]["messages"]["OrderCreated"]["examples"][0]["payload"]
    assert OrderCreated.model_validate_json(json.dumps(created["data"]), strict=True).subject == created["subject"]
