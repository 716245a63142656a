"""CloudEvents of other publishers: valid ones are accepted, and a refusal gives the true reason."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choreography.engine.delivery import Delivery, Overlong, read_delivery, read_parsed
from choreography.engine.envelope import as_moment
from choreography.errors import InvalidEventError
from tests.unit.engine.events import came, state_of, wire
from tests.unit.engine.replica import Replica, World
from tests.unit.engine.toy import Box, Put, desk

PUT = Put(box="a", amount=1)


def read(**changes: Any) -> Delivery:
    """Read an event with some attributes changed, null ones included."""
    return read_delivery(orjson.dumps(wire(PUT, "e1") | changes))


def as_base64(raw: bytes) -> dict[str, Any]:
    """Return the attribute that holds these bytes in an event, in place of `data`."""
    return {"data_base64": base64.b64encode(raw).decode(), "data": None}


def ran(delivery: Delivery) -> Box | None:
    """Deliver an event; return the box it is about."""
    world = World(desk)
    assert Replica(world).deliver(delivery) == [True]
    return state_of(world, Box, "a")


def test_data_in_base64_says_the_same() -> None:
    """Another encoding of the data is the same content, so the event is a repeat."""
    encoded = read(**as_base64(orjson.dumps(PUT.model_dump(mode="json"))))
    assert not encoded.problem
    assert encoded.envelope is not None
    assert encoded.envelope.digest == (came(PUT, "e1").envelope or encoded.envelope).digest
    assert ran(encoded)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (as_base64(b"not json"), "data_base64 is not JSON"),
        (as_base64(b""), "data_base64 is empty"),
        (as_base64(b"[1]"), "data is not a JSON object"),
        ({"data_base64": "%%%", "data": None}, "is not base64"),
        ({"data_base64": 5, "data": None}, "data_base64 is not a text"),
        ({"data_base64": "e30="}, "both data and data_base64"),
        ({"data": None}, "has no data"),
        ({"data": "text"}, "data is not a JSON object"),
        ({"datacontenttype": "text/plain"}, "'text/plain'"),
        ({"datacontenttype": "application/xml; charset=utf-8"}, "application/xml"),
        ({"datacontenttype": 7}, "datacontenttype"),
        ({"datacontenttype": "json"}, "'json'"),
        ({"time": None}, "has no time, and its broker does not say"),
        ({"time": 1700000000}, "'1700000000' is no moment of RFC 3339"),
        ({"id": None}, "has no id"),
        ({"id": 5}, "id is not a text but 5"),
        ({"source": None}, "has no source, so nobody can tell who says it"),
        ({"type": None}, "has no type"),
        ({"type": ["coins.put.v1"]}, "type is not a text"),
        ({"specversion": None}, "has no specversion"),
        ({"specversion": "0.3"}, "'0.3'"),
        ({"specversion": 1.0}, "1.0"),
    ],
)
def test_what_is_wrong_with_an_event_is_said(changes: dict[str, Any], reason: str) -> None:
    """A false reason sends a person to look in the wrong place."""
    assert reason in read(**changes).problem


JSON_TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON ;charset=UTF-8",
    "text/json",
    "application/vnd.coins+json",
    "application/vnd.coins.v1+json;profile=x",
    "application/cloudevents+json",
    None,
    "absent",
]


@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_every_media_type_of_json_is_taken(content_type: str | None) -> None:
    """Parameters and suffixes are part of a media type, and JSON is assumed if there is none."""
    event = wire(PUT, "e1") | {"datacontenttype": content_type}
    if content_type == "absent":
        del event["datacontenttype"]
    assert not read_delivery(orjson.dumps(event)).problem


def test_a_subject_that_was_left_out_follows_from_the_contract() -> None:
    """The flow follows from it too, unless the event names its flow."""
    without = wire(PUT, "e1", subject=None, flowid=None)
    world = World(desk)
    assert Replica(world).deliver(read_delivery(orjson.dumps(without))) == [True]
    assert state_of(world, Box, "a")
    assert {orjson.loads(text)["flowid"] for text in world.broker.texts()} == {"a"}


def test_a_repeat_without_a_subject_is_a_repeat() -> None:
    """Its digest is that of the delivered event, whatever the contract adds."""
    world = World(desk)
    event = wire(PUT, "e1", subject=None)
    for _ in range(2):
        assert Replica(world).deliver(read_delivery(orjson.dumps(event))) == [True]
    assert (state_of(world, Box, "a") or Box(box="a")).coins == 1


def test_an_event_without_subject_and_flow_can_be_set_aside() -> None:
    """The letter about it needs a flow of its own."""
    world = World(desk)
    event = {
        name: value for name, value in wire(PUT, "e1", data={"box": 1}).items() if name not in ("subject", "flowid")
    }
    assert Replica(world).deliver(read_delivery(orjson.dumps(event))) == [True]
    [letter] = world.broker.texts()
    assert not read_delivery(letter.encode()).problem


@pytest.mark.parametrize("name", ["subject", "flowid", "causationid", "eventid", "traceparent", "datacontenttype"])
def test_a_null_attribute_is_one_that_is_absent(name: str) -> None:
    """It is not read as the text None."""
    absent = {key: value for key, value in wire(PUT, "e1").items() if key != name}
    assert read(**{name: None}).envelope == read_delivery(orjson.dumps(absent)).envelope


def test_the_time_of_an_event_without_one_is_when_its_broker_took_it() -> None:
    """It is recorded, so that a replay finds it; the event's identity does not depend on it."""
    event = wire(PUT, "e1") | {"time": None}
    early, late = "2026-01-01T11:00:00Z", "2026-01-01T11:30:00Z"
    one, two = (read_parsed(event, orjson.dumps(event), taken=taken) for taken in (early, late))
    assert one.envelope is not None
    assert two.envelope is not None
    assert one.envelope.time == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert read_delivery(one.raw.encode()).envelope == one.envelope
    assert (one.identity, one.envelope.digest) == (two.identity, two.envelope.digest)


def test_an_event_keeps_its_own_time() -> None:
    """The broker's is only for those that have none."""
    event = wire(PUT, "e1")
    taken = read_parsed(event, orjson.dumps(event), taken="2020-01-01T00:00:00Z")
    assert taken == came(PUT, "e1")


def test_a_byte_order_mark_is_taken_for_one() -> None:
    """It may precede the event, or data in base64; the record has none, so that it can be read again."""
    raw = orjson.dumps(wire(PUT, "e1"))
    assert read_delivery(b"\xef\xbb\xbf" + raw) == read_delivery(raw)
    assert not read(**as_base64(b"\xef\xbb\xbf" + orjson.dumps(PUT.model_dump(mode="json")))).problem


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_another_encoding_is_named(encoding: str) -> None:
    """JSON is exchanged in UTF-8; a column number would not tell a reader that."""
    assert "UTF-8" in read_delivery(orjson.dumps(wire(PUT, "e1")).decode().encode(encoding)).problem


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(b"", "is empty"), (b"\x1f\x8b\x08\x00", "gzip"), (b"\x00\x01\x02", "is not JSON"), (b"\xef\xbb\xbf", "is empty")],
)
def test_what_is_no_json_says_what_it_is(raw: bytes, reason: str) -> None:
    """The reason names the format where it can be recognised."""
    assert reason in read_delivery(raw).problem


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01t12:00:00z", "2026-01-01T12:00:00"),
        ("2026-01-01T12:00:00.1Z", "2026-01-01T12:00:00.1"),
        ("2026-01-01T12:00:00.123456789123Z", "2026-01-01T12:00:00.123456"),
        ("2026-01-01T12:00:00+05:30", "2026-01-01T06:30:00"),
        ("2026-01-01T12:00:00-00:00", "2026-01-01T12:00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.5"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str, moment: str) -> None:
    """Small letters, fractions of any length, offsets and leap seconds are all in it."""
    assert as_moment(text) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


NO_MOMENTS = [
    "20260101T120000Z",
    "2026-W01-4T12:00:00Z",
    "2026-01-01T12:00Z",
    "2026-01-01T12Z",
    "2026-01-01",
    "12:00:00Z",
    "",
    "2026-01-01T12:00:00",
    "2026-01-01 12:00:00Z",
    "2026-01-01T12:00:00,5Z",
    "2026-01-01T12:00:00.Z",
    "now",
    "2026-01-01T24:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-02-30T12:00:00Z",
    "2026-01-01T12:60:00Z",
    "2026-01-01T12:00:61Z",
    "2026-01-01T12:00:60Z",
    "2026-06-15T23:59:60Z",
    "2026-01-01T12:00:00+0530",
    "2026-01-01T12:00:00+24:00",
    "2026-01-01T12:00:00+05:60",
    "2026-01-01T12:00:00+05",
    "26-01-01T12:00:00Z",
    "2026-01-01T12:00:00Z ",
    " 2026-01-01T12:00:00Z",
    "2026-001T12:00:00Z",
    "+2026-01-01T12:00:00Z",
    "٢٠٢٦-01-01T12:00:00Z",
    "2026-01-01T12:00:00+05:30:10",
    "9999-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "2026-01-01T12:00:00Z\n",
]


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_nothing_else_is_read(text: str) -> None:
    """Other forms that Python's parser accepts are refused, because other languages refuse them."""
    with pytest.raises(InvalidEventError, match="RFC 3339"):
        as_moment(text)


@settings(deadline=None)
@given(st.datetimes(), st.integers(-23 * 60, 23 * 60), st.booleans())
def test_every_moment_is_read_back(local: datetime, offset: int, small: bool) -> None:
    """Any offset of whole minutes works, if the moment is in the years 1 to 9999 in UTC."""
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    text = moment.isoformat()
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    assert as_moment(text.lower() if small else text) == expected


def test_what_is_too_large_is_known_by_its_digest_size_and_beginning() -> None:
    """Nothing else of it is kept, and it always goes by the same id."""
    huge = b"x" * 300_000
    one, two = read_delivery(Overlong.of(huge)), read_delivery(Overlong.of(huge))
    assert one == two
    assert one.identity == "sha256:" + Overlong.of(huge).digest
    assert "300000 bytes" in one.problem
    assert len(one.raw) < 10_000
