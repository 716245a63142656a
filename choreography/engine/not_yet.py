"""The list of events that a service has quarantined as *not yet*, for the release that understands and replays them.

The quarantine record of an event is kept under a hash of its id, and stores behind a sidecar cannot be searched. So the
ids are noted, in the same transaction as the record, on a bounded number of pages. Each replica first fills a page of
its own; otherwise replicas that quarantine many events would wait for each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson

from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.identity import Key, hashed, outcome_key
from choreography.engine.operations import (
    Commit,
    Committed,
    Confirm,
    Operation,
    OperationResult,
    Read,
    Stored,
    Values,
    Write,
)
from choreography.engine.other_releases import knows
from choreography.engine.records import Outcome, decode_outcome, encode_outcome
from choreography.service import Service

PAGES: Final = 32
LONGEST_PAGE: Final = 1000
"""Ids on a page. A page is written anew for each batch that quarantines an event, so it is short."""

FULL: Final = " More wait already than are replayed by themselves; replay it by hand."


def page_keys(service: str, replica: str = "") -> Sequence[Key]:
    """Return the keys of all pages, beginning with the one that a replica fills first."""
    first = int(hashed(replica)[:8], 16) % PAGES
    return [Key(service, "not-yet", str((first + number) % PAGES)) for number in range(PAGES)]


def read_page(text: str | None) -> dict[str, str]:
    """Return the entries of a page: for each id the knowledge that a release needs to run the event."""
    page: dict[str, str] = orjson.loads(text) if text else {}
    return page


def noted(page: Mapping[str, str], identity: str, needs: str) -> str | None:
    """Return a page with one more id; None if there is no room for it."""
    if identity not in page and len(page) >= LONGEST_PAGE:
        return None
    return orjson.dumps({**page, identity: needs}).decode()


class NotYet:
    """The events that a service has quarantined for another release, as one replica sees them."""

    def __init__(self, service: Service, ttl_seconds: int) -> None:
        self._service, self._ttl = service, ttl_seconds
        self._tried: set[str] = set()

    def known(self) -> Generator[Operation, OperationResult, list[str]]:
        """Return the ids of the events that this release can run and this process has not tried yet."""
        answer = yield Read(tuple(sorted(page_keys(self._service.name))))
        if not isinstance(answer, Values):
            return []
        pages = (read_page(stored.value) for stored in answer.found.values())
        entries = itertools.chain.from_iterable(page.items() for page in pages)
        return sorted(one for one, needs in entries if one not in self._tried and knows(self._service, needs))

    def waiting(self, identities: Iterable[str]) -> Generator[Operation, OperationResult, dict[str, Delivery | None]]:
        """Return, by id, the events that still wait in their records, as replays; None for one that no longer waits.

        An id whose record could not be read is left out: the next look asks for it again.
        """
        found: dict[str, Delivery | None] = {}
        for identity in identities:
            outcome = yield from self._record(identity)
            if isinstance(outcome, Outcome) and outcome.quarantined and outcome.quarantined.needs:
                event = read_delivery(outcome.quarantined.event.encode())
                found[identity] = event._replace(purpose="replay", inside=self._never_on_a_broker(event))
            elif outcome is None or isinstance(outcome, Outcome):
                found[identity] = None
        return found

    def _never_on_a_broker(self, event: Delivery) -> bool:
        subject = self._service.subjects.get(event.envelope.type) if event.envelope else None
        return subject is not None and not subject.topic

    def tried(self, identities: Iterable[str]) -> Generator[Operation, OperationResult, None]:
        """Strike out events that were run or that no release needs to run; the others are not tried again."""
        done: set[str] = set()
        for identity in identities:
            outcome = yield from self._record(identity)
            if outcome is None or (isinstance(outcome, Outcome) and not _waits(outcome)):
                done.add(identity)
            elif isinstance(outcome, Outcome):
                self._tried.add(identity)
        if done:
            yield from self._strike_out(done)

    def resolve(self, identity: str, now: datetime) -> Generator[Operation, OperationResult, None]:
        """Record that a quarantined intent is resolved without a replay: it was carried out."""
        key = outcome_key(self._service.name, identity)
        stored = yield Confirm(key)
        if isinstance(stored, Stored):
            outcome = decode_outcome(stored.value)._replace(at=now, events=(), quarantined=None)
            yield Commit((Write(key, encode_outcome(outcome), stored.etag, self._ttl),))

    def _record(self, identity: str) -> Generator[Operation, OperationResult, Outcome | OperationResult]:
        stored = yield Confirm(outcome_key(self._service.name, identity))
        return decode_outcome(stored.value) if isinstance(stored, Stored) else stored

    def _strike_out(self, done: set[str]) -> Generator[Operation, OperationResult, None]:
        for key in page_keys(self._service.name):
            stored = yield Confirm(key)
            page = read_page(stored.value) if isinstance(stored, Stored) else {}
            if isinstance(stored, Stored) and not done.isdisjoint(page):
                rest = {identity: needs for identity, needs in page.items() if identity not in done}
                struck = yield Commit((Write(key, orjson.dumps(rest).decode(), stored.etag),))
                # Another writer changed the record meanwhile: the next look finds what is left of it.
                if isinstance(struck, Committed):
                    done = done - page.keys()


def _waits(outcome: Outcome) -> bool:
    return outcome.quarantined is not None and bool(outcome.quarantined.needs)
