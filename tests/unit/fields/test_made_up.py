"""Every accepted contract survives the wire, the store, the lock and the documents; Hypothesis makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from choreography import Entity, Event, Request, Value
from choreography.analysis.compatibility import unmet
from choreography.analysis.examples import example
from choreography.analysis.lock import _contract, broken
from choreography.engine.envelope import Envelope
from choreography.engine.records import EntityRecord
from choreography.errors import DeclarationError
from choreography.render.payloads import as_draft_7
from tests.unit.fields.contracts_made_up import ANY_TYPES, TYPES, WORDS, Typed, contract, fields_of, instances

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SLOW = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def declared(base: type[Value], fields: Mapping[str, Typed]) -> Any:
    """Declare a contract, or give this example up because it is refused."""
    try:
        return contract(base, fields, **WORDS[base])
    except DeclarationError:
        event("refused")
        assume(condition=False)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal and of the same types all the way down."""
    if isinstance(one, Value):
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in type(one).model_fields
        )
    if isinstance(one, tuple):
        return type(other) is tuple and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return (
            type(one) is type(other) and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        )
    return type(one) is type(other) and one == other


@SLOW
@given(st.data())
def test_an_event_that_is_taken_comes_back_from_the_wire_as_it_was(data: st.DataObject) -> None:
    """Its types stay too, and it is written as the same text again."""
    fields = data.draw(fields_of(TYPES))
    model = declared(Event, fields)
    said = data.draw(instances(model, fields))
    envelope = Envelope(
        "id", "thing.said.v1", "things", said.subject, NOON, said.subject, "", "", said.model_dump(mode="json")
    )
    came = orjson.dumps(orjson.loads(envelope.encode())["data"])
    back = model.model_validate_json(came, strict=True)
    assert same(back, said)
    assert back == said
    assert hash(back) == hash(said)
    assert back.model_dump_json() == said.model_dump_json()


@SLOW
@given(st.data())
def test_an_entity_that_is_taken_comes_back_from_the_store_as_it_was(data: st.DataObject) -> None:
    """It is read without strictness, as stored state is, and changed by but()."""
    fields = data.draw(fields_of(TYPES))
    model = declared(Entity, fields)
    kept = data.draw(instances(model, fields))
    record = EntityRecord.decode(EntityRecord(state=kept.model_dump(mode="json")).encode())
    back = model.model_validate_json(orjson.dumps(record.state))
    assert same(back, kept)
    assert same(back.but(), kept)
    assert back.key == kept.key


@SLOW
@given(st.data())
def test_what_is_taken_is_described_as_it_is_written(data: st.DataObject) -> None:
    """Its schema is valid in today's JSON Schema and in AsyncAPI's draft, and every reference resolves."""
    fields = data.draw(fields_of(TYPES))
    model = declared(Event, fields)
    said = data.draw(instances(model, fields))
    plain = json.loads(said.model_dump_json())
    schema = model.model_json_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(plain)
    moved = as_draft_7(schema)
    Draft7Validator.check_schema(moved)
    Draft7Validator(moved).validate(plain)


@SLOW
@given(fields_of(TYPES))
def test_a_contract_that_is_taken_keeps_its_own_promise(fields: dict[str, Typed]) -> None:
    """An example of it can be generated, too."""
    model = declared(Event, fields)
    assert broken(_contract(model), _contract(model)) == []
    for size in (0, 1, 2):
        assert isinstance(example(model, size), model)


@SLOW
@given(st.data())
def test_a_change_that_the_lock_lets_pass_loses_no_event(data: st.DataObject) -> None:
    """Each release reads all that the other writes."""
    shared = data.draw(fields_of(TYPES))
    before, now = dict(shared), dict(shared)
    for fields in (before, now):
        if data.draw(st.booleans()):
            fields["changed"] = data.draw(TYPES)
    old, new = declared(Event, before), declared(Event, now)
    for writer, reader, fields in ((old, new, before), (new, old, now)):
        if not unmet(writer.model_json_schema(), reader.model_json_schema()):
            event("compatible")
            reader.model_validate_json(data.draw(instances(writer, fields)).model_dump_json(), strict=True)


def test_much_is_taken_and_much_is_refused(capsys: Any) -> None:
    """Both halves of the grammar have cases, so the tests above try something; the share is printed."""
    counts = {"taken": 0, "refused": 0}

    @settings(deadline=None, max_examples=200, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(fields_of(ANY_TYPES))
    def count(fields: dict[str, Typed]) -> None:
        try:
            contract(Request, fields)
            counts["taken"] += 1
        except DeclarationError:
            counts["refused"] += 1

    count()
    with capsys.disabled():
        print(f"\nof {sum(counts.values())} contracts made up, {counts['refused']} were refused")  # noqa: T201
    assert min(counts.values()) > 20
