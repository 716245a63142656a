"""The records of one attempt at a batch: those read, those changed, and the transaction with the changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from choreography.engine.beside import Beside, HookCall, Rows
from choreography.engine.identity import Key
from choreography.engine.operations import Stored, Write
from choreography.engine.records import EntityRecord

_AT: Final = 2
"""The field of a folded outcome that holds the time by which the outcome is dropped."""


@dataclass(slots=True)
class WorkingSet:
    """Entity records by store key, and the writes of this attempt.

    Later entries of a batch see the changes of earlier ones. An entity that a deciding reaction named is guarded: it is
    in the transaction even if it did not change; otherwise two reactions that read each other's entities could both
    win.
    """

    etags: dict[Key, str]
    records: dict[Key, EntityRecord]
    apart: dict[Key, Stored]
    unreadable: Mapping[Key, str] = field(default_factory=dict)
    """Entity records that are spoilt, each with the reason. They are never overwritten."""
    guarded: set[Key] = field(default_factory=set)
    others: dict[Key, Write] = field(default_factory=dict)
    rows: dict[tuple[str, str], Rows] = field(default_factory=dict)
    """Rows of the service's own tables, by table and entity: of several changes of an entity only the last counts."""
    calls: list[HookCall] = field(default_factory=list)

    @classmethod
    def of(cls, found: Mapping[Key, Stored], entity_keys: Iterable[Key]) -> WorkingSet:
        """Sort the values that were read into entities and other records."""
        keys = set(entity_keys)
        records: dict[Key, EntityRecord] = {}
        unreadable: dict[Key, str] = {}
        for key in keys & found.keys():
            try:
                records[key] = _sound(EntityRecord.decode(found[key].value))
            except Exception as error:  # noqa: BLE001 - an error in one record fails only the events that name it
                unreadable[key] = f"{type(error).__name__}: {error}"
        return cls(
            etags={key: stored.etag for key, stored in found.items()},
            records=records,
            apart={key: stored for key, stored in found.items() if key not in keys},
            unreadable=unreadable,
        )

    def record(self, key: Key) -> EntityRecord:
        """Return a record, or a vacant record as a placeholder."""
        return self.records.get(key) or EntityRecord()

    def accept(self, changed: Mapping[Key, EntityRecord], guarded: Iterable[Key]) -> None:
        """Take over the decisions of one event's reactions."""
        self.records.update(changed)
        self.guarded.update(changed)
        self.guarded.update(guarded)

    def rest_on(self, keys: Iterable[Key]) -> None:
        """Guard all that a silent decision saw, if it saw a change of this batch: it then saw no single snapshot."""
        if not self.guarded.isdisjoint(keys):
            self.guarded.update(keys)

    def put(self, *writes: Write) -> None:
        """Add records that are no entities: a separate outcome, or a mark."""
        self.others.update((write.key, write) for write in writes)

    @property
    def beside(self) -> Beside | None:
        """The writes that go into the transaction besides records; None, as nearly always, if there are none."""
        return Beside(tuple(self.rows.values()), tuple(self.calls)) if self.rows or self.calls else None

    def writes(self, tombstone_ttl: int) -> tuple[Write, ...]:
        """Return the writes, sorted by key so that two replicas cannot deadlock."""
        entities = (self._entity_write(key, tombstone_ttl) for key in self.guarded)
        return tuple(sorted((*entities, *self.others.values()), key=lambda write: write.key))

    def _entity_write(self, key: Key, tombstone_ttl: int) -> Write:
        record = self.record(key)
        return Write(key, record.encode(), self.etags.get(key), tombstone_ttl if record.gone else None)


def _sound(record: EntityRecord) -> EntityRecord:
    """Return a record after checking the shape of its parts, so that no later step fails on it."""
    if not (isinstance(record.version, int) and isinstance(record.slots, dict)):
        raise TypeError("its version or its joins have another shape")
    if not (record.state is None or isinstance(record.state, dict)):
        raise TypeError("its state has another shape")
    if not all(type(raw) is list and len(raw) > _AT and type(raw[_AT]) is str for raw in record.folded.values()):
        raise TypeError("an outcome in it has another shape")
    return record
