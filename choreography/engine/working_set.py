"""The records one attempt at a batch works on: what was read, what changed, and the transaction that follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from choreography.engine.operations import Stored, Write
from choreography.engine.records import EntityRecord


@dataclass(slots=True)
class WorkingSet:
    """Entity records by store key, and the writes of this attempt.

    Later entries of a batch see the changes of earlier ones. An entity that a deciding reaction named is guarded: it
    is in the transaction whether it changed or not, else two reactions that read each other's entities could both win.
    """

    etags: dict[str, str]
    records: dict[str, EntityRecord]
    apart: dict[str, Stored]
    guarded: set[str] = field(default_factory=set)
    others: dict[str, Write] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Mapping[str, Stored], entity_keys: Iterable[str]) -> WorkingSet:
        """Sort what was read into entities and all else."""
        keys = set(entity_keys)
        return cls(
            etags={key: stored.etag for key, stored in found.items()},
            records={key: EntityRecord.decode(found[key].value) for key in keys & found.keys()},
            apart={key: stored for key, stored in found.items() if key not in keys},
        )

    def record(self, key: str) -> EntityRecord:
        """Return a record, or a vacant one to hold its place."""
        return self.records.get(key) or EntityRecord()

    def accept(self, changed: Mapping[str, EntityRecord], guarded: Iterable[str]) -> None:
        """Take over what one event's reactions decided."""
        self.records.update(changed)
        self.guarded.update(changed)
        self.guarded.update(guarded)

    def put(self, write: Write) -> None:
        """Add a record that is no entity: an outcome kept apart, or a mark."""
        self.others[write.key] = write

    def writes(self, tombstone_ttl: int) -> tuple[Write, ...]:
        """Return the transaction, its keys sorted so that two replicas cannot lock each other out."""
        entities = (self._entity_write(key, tombstone_ttl) for key in self.guarded)
        return tuple(sorted((*entities, *self.others.values()), key=lambda write: write.key))

    def _entity_write(self, key: str, tombstone_ttl: int) -> Write:
        record = self.record(key)
        return Write(key, record.encode(), self.etags.get(key), tombstone_ttl if record.gone else None)
