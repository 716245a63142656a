"""Splitting an arriving batch gives the same as parsing it whole, and no content makes it fail."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choreography.engine.delivery import BEGINNING, LARGEST_READ, Overlong
from choreography.runtime.bodies.batches import BatchEntry, Message, entry_of
from choreography.runtime.bodies.held import Held, Statuses
from choreography.runtime.bodies.json_stream import LARGEST_VALUE, NotJsonError

TEXTS = st.text()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode()) | JSON
ENTRIES = st.fixed_dictionaries(
    {},
    optional={"entryId": st.text() | JSON, "event": EVENTS, "metadata": JSON, "contentType": st.text(), "more": JSON},
)
BATCHES = st.fixed_dictionaries(
    {"entries": st.lists(ENTRIES | JSON, max_size=6)}, optional={"topic": st.text(), "id": JSON, "type": JSON}
)
SPACED = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


async def parts_of(body: bytes, cuts: Sequence[int]) -> AsyncIterator[bytes]:
    """Return a body cut into parts, some of them empty."""
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(places):
        yield body[start:end]


def split(body: bytes, cuts: Sequence[int] = ()) -> tuple[Message, list[BatchEntry], bool]:
    """Read a batch as a stream; return its entries, and whether it was JSON to its end."""

    async def reading() -> tuple[Message, list[BatchEntry], bool]:
        message, entries = Message(parts_of(body, cuts)), list[BatchEntry]()
        try:
            async for entry in message.entries():
                entries.append(entry)
        except NotJsonError:
            await message.rest()
            return message, entries, False
        return message, entries, True

    try:
        # Nothing here waits, so no event loop is needed.
        reading().send(None)
    except StopIteration as end:
        return cast("tuple[Message, list[BatchEntry], bool]", end.value)
    raise AssertionError("reading parts that are all there waited for something")


@settings(deadline=None)
@given(BATCHES, st.lists(st.integers(0), max_size=12), st.booleans(), st.booleans())
def test_every_valid_batch_is_split_as_it_is_parsed(
    batch: dict[str, Any], cuts: list[int], spaced: bool, marked: bool
) -> None:
    """Its parts may end anywhere: in a key, in an escape, in the middle of a character."""
    body = b"\xef\xbb\xbf" * marked + orjson.dumps(batch, option=SPACED if spaced else 0)
    message, entries, is_json = split(body, cuts)
    assert is_json
    assert message.is_batch
    assert message.topic == batch.get("topic")
    assert entries == [entry_of(one) for one in batch["entries"]]


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0), max_size=6))
def test_nothing_that_is_not_json_raises(body: bytes, cuts: list[int]) -> None:
    """It still has an end, and all of it is accounted for."""
    message, _, is_json = split(body, cuts)
    assert is_json or message.whole == body


@settings(deadline=None)
@given(BATCHES, st.integers(0), st.binary(max_size=6), st.lists(st.integers(0), max_size=6))
def test_a_damaged_batch_never_raises(batch: dict[str, Any], place: int, damage: bytes, cuts: list[int]) -> None:
    """It may be cut off, or have foreign bytes in the middle."""
    body = orjson.dumps(batch)
    place %= len(body) + 1
    split(body[:place] + damage + body[place:], cuts)
    split(body[:place] + damage, cuts)


@settings(deadline=None)
@given(st.text(alphabet='"\\{}[]:,ae1 \n', max_size=60), st.lists(st.integers(0), max_size=6))
def test_what_looks_like_json_never_raises(text: str, cuts: list[int]) -> None:
    """Brackets that do not match, escapes at the end, values without keys."""
    split(b'{"entries":[' + text.encode(), cuts)
    split(text.encode(), cuts)


@pytest.mark.parametrize(
    "bad",
    [
        rb'"\ud800"',
        b'"\xff\xfe"',
        b'"\x00"',
        b'"\n"',
        rb'"\x"',
        b"[" * 5000 + b"]" * 5000,
        b"nul",
        b"01",
        b"NaN",
        b"-",
        b'{"a" 1}',
        b'{"a":}',
    ],
)
def test_an_entry_that_cannot_be_read_spoils_no_other(bad: bytes) -> None:
    """It keeps the id for its answer, and its own bytes."""
    good = b'{"entryId":"%d","event":"e30="}'
    body = b'{"topic":"t","entries":[' + good % 1 + b',{"entryId":"2","event":' + bad + b"}," + good % 3 + b"]}"
    _, entries, is_json = split(body)
    assert is_json
    assert [(one.entry_id, one.event) for one in entries] == [("1", b"{}"), ("2", bad), ("3", b"{}")]


def test_entries_before_the_end_of_what_is_cut_off_are_read() -> None:
    """They are settled; the rest is redelivered."""
    message, entries, is_json = split(b'{"topic":"t","entries":[{"entryId":"1","event":"e30="},{"entryId":"2","ev')
    assert not is_json
    assert message.topic == "t"
    assert [one.entry_id for one in entries] == ["1"]


@pytest.mark.parametrize("size", [LARGEST_READ + 1, LARGEST_VALUE, 3 * LARGEST_VALUE + 1])
@pytest.mark.parametrize("part", [999, 65536])
def test_an_event_that_is_too_large_is_known_by_its_bytes(size: int, part: int) -> None:
    """It has the same id each time, whether it was parsed or not, and on every route."""
    raw = bytes(range(256)) * (size // 256 + 1)
    raw = raw[:size]
    entry = {"event": base64.b64encode(raw).decode(), "entryId": "1"}
    body = orjson.dumps({"entries": [entry], "topic": "t"})
    _, [one], is_json = split(body, range(0, len(body), part))
    assert is_json
    assert one == entry_of(entry) == BatchEntry("1", Overlong.of(raw), {})
    assert isinstance(one.event, Overlong)
    assert one.event.beginning == raw[:BEGINNING]


MUCH = b"AAAA" * LARGEST_VALUE
NO_BASE64 = [b"!" * LARGEST_VALUE, MUCH + b"=", b"AA==" + MUCH, b"\\n" * LARGEST_VALUE]


@pytest.mark.parametrize("text", NO_BASE64, ids=["signs", "padding", "padding inside", "escapes"])
def test_a_text_that_is_too_large_and_no_base64_is_known_by_what_it_is(text: bytes) -> None:
    """The digest is that of its JSON."""
    _, [one], _ = split(b'{"entries":[{"entryId":"1","event":"' + text + b'"}]}', range(0, len(text), 65536))
    assert one.event == Overlong.of(b'"' + text + b'"')


def test_the_largest_event_that_is_read_is_kept() -> None:
    """In base64, as the sidecar sends it."""
    raw = b"x" * LARGEST_READ
    assert entry_of({"event": base64.b64encode(raw).decode()}).event == raw


@settings(deadline=None)
@given(
    st.lists(
        st.builds(BatchEntry, st.none() | st.text(), st.binary(), st.dictionaries(st.text(), st.text()), st.text())
    )
)
def test_entries_that_wait_for_their_topic_come_back_as_they_were(entries: list[BatchEntry]) -> None:
    """The sidecar writes the topic behind the entries."""
    overlong = BatchEntry("huge", Overlong.of(b"\n\xff" * 9), {})
    with Held() as held:
        assert all(held.add(one) for one in [*entries, overlong])
        assert list(held) == [*entries, overlong]


def test_of_two_entries_with_one_id_neither_is_done_before_both_are() -> None:
    """The sidecar cannot distinguish them, so an answer to one answers both."""
    statuses = Statuses()
    for entry_id, done in (("a", True), ("b", True), ("a", False), (None, False)):
        statuses.add(BatchEntry(entry_id, b"", {}), done=done)
    assert statuses.as_json() == list(_statuses(a="RETRY", b="SUCCESS")) + list(_statuses(a="RETRY"))


def _statuses(**told: str) -> Iterator[dict[str, str]]:
    return ({"entryId": entry_id, "status": status} for entry_id, status in told.items())
