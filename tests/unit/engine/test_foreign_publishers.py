"""Each event is handled as the page for foreign publishers says."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from choreography.engine.delivery import LARGEST_READ, read_delivery
from choreography.runtime.bodies.batches import bounded
from tests.unit.engine.events import wire
from tests.unit.engine.replica import Replica, World
from tests.unit.engine.toy import Put, desk

PAGE: Final = (Path(__file__).parents[3] / "docs/foreign-publishers.md").read_text()
SOUND: Final = wire(Put(box="a", amount=1), "e1")
ENCODED: Final = orjson.dumps(SOUND)
BYTES: Final = {
    "UTF-8 with a byte order mark": b"\xef\xbb\xbf" + ENCODED,
    "UTF-16": ENCODED.decode().encode("utf-16"),
    "compressed with gzip": gzip.compress(ENCODED),
    "no JSON": b"hello",
    "nothing": b"",
    "more than 256 KiB": orjson.dumps(SOUND | {"padding": "x" * LARGEST_READ}),
}


def rows(heading: str) -> list[tuple[str, str, str]]:
    """Return the rows of the table whose first column is headed so."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [(first, then, because) for first, then, because in (re.split(r" ?\| ?", row)[1:4] for row in table)]


def fate(raw: bytes) -> tuple[str, str]:
    """Deliver bytes; return the result and its reason."""
    world = World(desk)
    assert Replica(world).deliver(read_delivery(bounded(raw))) == [True]
    outcomes = list(world.store.outcomes())
    if not outcomes:
        return "it is ignored", ""
    [outcome] = outcomes
    return ("it is quarantined", outcome.quarantined.reason) if outcome.quarantined else ("it runs", "")


def without(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that are not null."""
    return {name: value for name, value in attributes.items() if value is not None}


@pytest.mark.parametrize(("change", "then", "because"), rows("it differs in"))
def test_what_the_page_says_of_an_event_is_true(change: str, then: str, because: str) -> None:
    """An attribute that is null and one that is left out are the same to it."""
    event = SOUND | orjson.loads(change.strip("`"))
    for one in (event, without(event)):
        became, reason = fate(orjson.dumps(one))
        assert became == then
        assert because.lower() in reason.lower()


@pytest.mark.parametrize(("what", "then", "because"), rows("its bytes are"))
def test_what_the_page_says_of_bytes_is_true(what: str, then: str, because: str) -> None:
    """The page covers everything that a broker can hold."""
    became, reason = fate(BYTES[what])
    assert became == then
    assert because.lower() in reason.lower()


def test_the_page_has_its_tables() -> None:
    """Otherwise the tests above would prove nothing."""
    assert len(rows("it differs in")) > 20
    assert {first for first, *_ in rows("its bytes are")} == set(BYTES)
