"""The move itself: all records are identified, written, read again and counted; no existing row is overwritten."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from choreography.engine.identity import OUTCOME
from choreography.stores.address import DatabaseAddress
from choreography.stores.from_dapr.recovering import (
    ACCEPTED,
    Names,
    New,
    Old,
    RecordPlace,
    is_needed,
    is_vacant,
    place_of,
    renewed,
)
from choreography.stores.from_dapr.sources import MoveError, RecordSource
from choreography.stores.from_dapr.targets import Target, target_at
from choreography.stores.tables import ENTITIES, NOTES, OUTCOMES, table_of

_AT_ONCE: Final = 500
_NAMED: Final = 5


@dataclass
class Moved:
    """The records of one service after the move.

    Attributes:
        rows: how many rows stand in each table now.
        folded: how many of the outcomes were part of entities before.
        left: how many records were left behind, as only the processes that wrote them needed them.
    """

    rows: Counter[str] = field(default_factory=Counter)
    folded: int = 0
    left: int = 0

    def __str__(self) -> str:
        """Return the result as a sentence."""
        return (
            f"{self.rows[ENTITIES]} entities, {self.rows[OUTCOMES]} outcomes ({self.folded} of them from inside of "
            f"entities) and {self.rows[NOTES]} notes are there as Dapr kept them; {self.left} records of processes "
            "that have ended were left"
        )


async def move(source: RecordSource, service: str, address: DatabaseAddress) -> Moved:
    """Move all records of a service into its own tables. A second run continues the first.

    Raises:
        MoveError: a process still writes, commands are still under way, an id cannot be found, or the service has
            already used its own tables.
    """
    async with target_at(address) as target:
        async with source.opened():
            names, before = await _named(source, service)
            moved = await _write(source, service, names, target)
        async with source.opened():
            _, after = await _named(source, service, look=False)
    if after != before:
        raise MoveError(
            f"Somebody wrote records of {service} to Dapr's store meanwhile. Stop the service and its sidecar, then "
            "run this again."
        )
    return moved


async def _named(source: RecordSource, service: str, *, look: bool = True) -> tuple[Names, tuple[int, int]]:
    """Find the id of every record; also return a sum over all records."""
    names, count, total = Names(), 0, 0
    commands = 0
    async for old in source.rows(service):
        place = place_of(old.key)
        count, total = count + 1, total ^ _digest(old)
        if place is not None and is_needed(place):
            names.want(place)
            commands += place.kind == ACCEPTED
    if commands:
        raise MoveError(
            f"{commands} accepted commands of {service} have no outcome yet. Start the service as it was, close its "
            "intake, and wait until `choreography drain` says that nothing is under way. Then stop it and run this "
            "again."
        )
    if look:
        async for old in source.rows(service):
            names.look_into(old.value)
    return names, (count, total)


async def _write(source: RecordSource, service: str, names: Names, target: Target) -> Moved:
    moved, unknown, batch = Moved(), list[str](), list[New]()
    async for old in source.rows(service):
        place = place_of(old.key)
        if place is None or not is_needed(place):
            moved.left += 1
            continue
        logical_id = names.id_of(place)
        if logical_id is None:
            if _may_be_left(place, old):
                moved.left += 1
            else:
                unknown.append(old.key)
            continue
        rows = list(renewed(place, logical_id, old))
        moved.rows.update(table_of(row.key) for row in rows)
        moved.folded += sum(row.key.kind == OUTCOME for row in rows[1:])
        batch += rows
        if len(batch) >= _AT_ONCE:
            await target.write(batch)
            batch = []
    await target.write(batch)
    if unknown:
        raise MoveError(
            f"{len(unknown)} records of {service} hold an id that no record says, such as "
            f"{', '.join(unknown[:_NAMED])}. All others were moved. Do not start the service on its own tables: it "
            "would know nothing of these."
        )
    return moved


def _may_be_left(place: RecordPlace, old: Old) -> bool:
    """Tell whether a record may be dropped: a placeholder, or a list of commands that all have their outcomes."""
    return place.kind == "accepted-about" or is_vacant(old.value)


def _digest(old: Old) -> int:
    return int.from_bytes(
        hashlib.blake2b(f"{old.key}\n{old.value}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    )
