"""Events that an application leaves in the database: published under one id, and deleted only then."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from choreography import Event, Service
from choreography.engine.accepted import Recorded
from choreography.engine.commanding import Commanding
from choreography.engine.identity import POSTED, Key
from choreography.engine.operations import Limits, Stored
from choreography.engine.posting import Note, Posting
from choreography.errors import ChoreographyError
from choreography.outbox import Outbox
from tests.unit.engine.broker import refused
from tests.unit.engine.replica import NOON, Replica, World
from tests.unit.engine.toy import Counted, Opened, Put, desk


def left(world: World, *events: Event) -> list[Note]:
    """Let an application write notes of events into the store; return the claimed notes."""
    notes = []
    for number, event in enumerate(events):
        accepted = Commanding(world.service).accept(event, f"event-{number}", NOON, "")
        note = Note(f"event-{number}", "1", Recorded.of(accepted).encode())
        world.store.rows[str(Key("desk", POSTED, note.event_id))] = Stored(note.text, note.etag)
        notes.append(note)
    return notes


def post(world: World, notes: Sequence[Note]) -> int:
    """Publish the claimed notes."""
    posted: int = Replica(world).drive(Posting(desk, world.limits).post(notes, NOON))
    return posted


def there(world: World) -> list[str]:
    """Return the keys of existing notes."""
    return [key for key in world.store.rows if f".{POSTED}." in key]


@pytest.fixture
def world() -> World:
    """Return a world whose service connects to its database itself."""
    return World(desk, limits=Limits(snapshot_reads=True))


def test_what_is_published_is_deleted_and_recorded(world: World) -> None:
    """Its outcome keeps it from being published again under the same key."""
    notes = left(world, Counted(box="a", total=1), Counted(box="b", total=2))
    assert post(world, notes) == 2
    assert there(world) == []
    assert [orjson.loads(text)["id"] for text in world.broker.texts()] == ["event-0", "event-1"]
    outcome = world.store.outcome("event-1")
    assert outcome is not None
    assert outcome.own is not None
    assert outcome.type == "box.counted.v1"


def test_what_the_broker_did_not_take_stays(world: World) -> None:
    """The next look finds the note."""
    notes = left(world, Counted(box="a", total=1))
    world.broker.faults.append(refused)
    assert post(world, notes) == 0
    assert len(there(world)) == 1
    assert post(world, notes) == 1


def test_an_unknown_answer_leaves_the_note_or_finds_it_gone(world: World) -> None:
    """It is published again under the same id, or the note is gone."""
    notes = left(world, Counted(box="a", total=1))
    world.store.commits.append("not written")
    assert post(world, notes) == 0
    assert len(there(world)) == 1
    world.store.commits.append("written, reply lost")
    assert post(world, notes) == 0
    assert there(world) == []
    assert {orjson.loads(text)["id"] for text in world.broker.texts()} == {"event-0"}


def test_an_event_that_has_an_outcome_is_not_published_again(world: World) -> None:
    """A second note of the same event has no effect."""
    post(world, left(world, Counted(box="a", total=1)))
    published = len(world.broker.texts())
    assert post(world, left(world, Counted(box="a", total=1))) == 1
    assert (len(world.broker.texts()), there(world)) == (published, [])


def test_an_event_that_the_service_itself_hears_gets_its_outcome_from_its_reaction(world: World) -> None:
    """Otherwise its own delivery would be taken for a repeat, and nothing would be done."""
    assert post(world, left(world, Opened(box="a"))) == 1
    assert there(world) == []
    assert world.store.outcome("event-0") is None


def test_only_what_a_service_declares_is_published() -> None:
    """The same rule holds for events of its reactions."""
    with pytest.raises(ChoreographyError, match="outbox=True"):
        Outbox(desk, schema="shop")
    with pytest.raises(ChoreographyError, match="CHOREOGRAPHY_SCHEMA"):
        Outbox(Service("shop", outbox=True), schema="Shop; drop")
    outbox = Outbox(Service("shop", outbox=True), schema="shop")
    with pytest.raises(ChoreographyError, match="does not publish Put; it publishes nothing"):
        outbox.publish_sync(None, Put(box="a", amount=1))  # type: ignore[arg-type]
