"""The AsyncAPI document passes the AsyncAPI project's own parser and schema, and says what the code says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from apps.checkout.contracts import OrderCreated
from choreography.flow import services_of
from choreography.render import render

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("@asyncapi/parser@3.6.3", "@asyncapi/specs@6.11.1")
PARSE = """
import { Parser } from '@asyncapi/parser';
import { readFileSync } from 'fs';
const { document, diagnostics } = await new Parser().parse(readFileSync(0, 'utf8'));
const told = diagnostics.map(one => ({ severity: one.severity, message: one.message, path: one.path.join('/') }));
console.log(JSON.stringify({ read: document !== undefined, told }));
"""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, as another program reads it."""
    (text,) = (text for path, text in render("apps.checkout").items() if path.name == "asyncapi.yaml")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


@pytest.fixture(scope="module")
def asyncapi_project() -> Path:
    """The AsyncAPI project's parser and schemas, installed once beside the other tools of this checkout."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm or node is not on this machine, and the AsyncAPI project's parser comes as an npm package.")
    folder = ROOT / ".run" / "asyncapi"
    done = folder / "installed"
    if not done.exists() or done.read_text() != " ".join(PACKAGES):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", *PACKAGES]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if ended.returncode:
            pytest.skip(f"npm could not install the AsyncAPI project's parser: {ended.stderr[-500:]}")
        done.write_text(" ".join(PACKAGES))
    return folder


def test_the_asyncapi_projects_parser_accepts_the_document(document: dict[str, Any], asyncapi_project: Path) -> None:
    """Without an error or a warning; that a newer version of the specification exists is only information."""
    script = asyncapi_project / "parse.mjs"
    script.write_text(PARSE)
    ended = subprocess.run(
        ["node", str(script)], input=yaml.safe_dump(document), capture_output=True, text=True, check=True
    )
    answer = json.loads(ended.stdout)
    assert answer["read"]
    assert [one for one in answer["told"] if one["severity"] < 2] == []


def test_the_asyncapi_projects_schema_accepts_the_document(document: dict[str, Any], asyncapi_project: Path) -> None:
    """And refuses one with a mistake in it, so that it is known to look."""
    schemas = asyncapi_project / "node_modules" / "@asyncapi" / "specs" / "schemas"
    validator = jsonschema_rs.validator_for(json.loads((schemas / "3.0.0.json").read_text()))
    assert [error.message for error in validator.iter_errors(document)] == []
    assert not validator.is_valid(document | {"operations": {"order-says": {"action": "shout"}}})


def test_every_event_is_a_message_on_its_topic(document: dict[str, Any]) -> None:
    """Its name is its wire type."""
    for service in services_of("apps.checkout"):
        for event in service.publishes:
            assert event.__name__ in document["channels"][service.topic]["messages"]
            assert document["components"]["messages"][event.__name__]["name"] == event.wire_type


def test_who_says_and_who_hears_what_are_operations(document: dict[str, Any]) -> None:
    """A reader finds the consumers of a topic."""
    said = document["operations"]["billing-says"]
    heard = document["operations"]["shipping-hears-payments"]
    assert said["action"] == "send"
    assert heard["action"] == "receive"
    assert [one["$ref"].rpartition("/")[2] for one in heard["messages"]] == ["PaymentCharged", "PaymentRefunded"]


def test_an_undoing_event_says_what_it_undoes(document: dict[str, Any]) -> None:
    """In an extension, as AsyncAPI has no word for it."""
    assert document["components"]["messages"]["PaymentRefunded"]["x-undoes"] == "payment.charged.v1"


def test_examples_are_valid_by_the_schema_beside_them_and_by_the_model(document: dict[str, Any]) -> None:
    """An example that nobody validates is a lie in waiting."""
    schemas = document["components"]["schemas"]
    for name, message in document["components"]["messages"].items():
        (shown,) = message["examples"]
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema_rs.validate(schema, shown["payload"]["data"])
    created = document["components"]["messages"]["OrderCreated"]["examples"][0]["payload"]
    assert OrderCreated.model_validate_json(json.dumps(created["data"]), strict=True).subject == created["subject"]
