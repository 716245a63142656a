"""A service so small that every state of its engine can be explored: a till that counts coins."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import orjson

from choreography import Answer, Deadline, Decision, Entity, Event, Intent, Outside, Service, named_by, nothing
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.envelope import as_text
from choreography.engine.records import CommittedIntent
from choreography.in_memory import NOON


class Put(Event, owner="street", subject="till", type="coins.put.v1"):
    """Somebody put coins in."""

    till: str
    amount: int


class Moved(Event, owner="street", subject="till", type="coins.moved.v1"):
    """Somebody moved all coins to another till."""

    till: str
    to: str


class Counted(Event, owner="tills", subject="till", type="till.counted.v1"):
    """How much is in a till."""

    till: str
    total: int


class Late(Event, owner="tills", subject="till", type="till.late.v1"):
    """A till was not emptied in time."""

    till: str


class Till(Entity, key="till"):
    """A till."""

    till: str
    coins: int = 0
    receipts: int = 0


class Fetch(Intent):
    """Ask the bank to fetch coins."""

    till: str
    amount: int


class Fetched(Answer, type="coins.fetched.v1"):
    """The bank has them."""

    till: str


tills = Service("tills", publishes=[Counted, Late])


@tills.on(Put)
def count(till: Till, put: Put) -> Decision[Counted | Fetch]:
    """Count, and have large sums fetched."""
    counted = till.but(coins=till.coins + put.amount)
    said = Counted(till=till.till, total=counted.coins)
    return (counted, said, Fetch(till=till.till, amount=put.amount)) if put.amount >= 100 else (counted, said)


@tills.deadline(after=Put, within=timedelta(hours=1))
def remind(till: Till, deadline: Deadline) -> Decision[Late]:
    """Say that coins are still there."""
    return Late(till=till.till) if till.coins and deadline.due else nothing


@tills.on(Fetched)
def note(till: Till, fetched: Fetched) -> Decision[Counted]:
    """The coins are gone."""
    noted = till.but(receipts=till.receipts + 1)
    return noted, Counted(till=fetched.till, total=noted.coins)


@tills.on(Moved)
def move(till: Till, other: Annotated[Till, named_by("to")], moved: Moved) -> Decision[Counted]:
    """Move all coins, or say nothing if there are none."""
    if not till.coins:
        return nothing
    emptied, filled = till.but(coins=0), other.but(coins=other.coins + till.coins)
    return emptied, filled, Counted(till=moved.to, total=filled.coins)


@tills.effect(outside="bank")
async def fetch(wish: Fetch, bank: Outside) -> Fetched:
    """Have the coins fetched."""
    await bank.post("/fetch", wish)
    return Fetched(till=wish.till)


def bank(wish: CommittedIntent) -> Answer:
    """Reply as the bank does."""
    return Fetched(till=Fetch.model_validate_json(wish.body).till)


def came(event: Event, event_id: str) -> Delivery:
    """Return the delivery of an event."""
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "type": event.wire_type,
        "source": "street",
        "subject": event.subject,
        "time": as_text(NOON),
        "data": event.model_dump(mode="json"),
    }
    return read_delivery(orjson.dumps(attributes))
