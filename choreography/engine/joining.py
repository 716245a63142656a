"""The slots of a join: which of the awaited events have come for one entity, in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from choreography.engine.envelope import Envelope
from choreography.engine.records import EntityRecord
from choreography.errors import InvalidEventError


class JoinSlots:
    """The slots of one join in one entity's record.

    Filling and undoing commute: an undo that overtakes its event cancels the event when it arrives.
    """

    def __init__(self, record: EntityRecord, join: str) -> None:
        self._record, self._join = record, join
        held = record.slots.get(join, {})
        self._filled: dict[str, dict[str, Any]] = dict(held.get("filled", {}))
        self._undone: dict[str, int] = dict(held.get("undone", {}))
        self._fired: bool = held.get("fired", False)

    def fill(self, envelope: Envelope, awaited: Sequence[str]) -> Mapping[str, Mapping[str, Any]] | None:
        """Fill the slot of this event. Return the data of all events, by wire type, if that completes the join.

        Raises:
            InvalidEventError: the slot holds another event of this type with different data.
        """
        wire_type = envelope.type
        if wire_type in self._filled:
            if self._filled[wire_type]["digest"] != envelope.digest:
                raise InvalidEventError(
                    f"The join {self._join} holds the {wire_type} {self._filled[wire_type]['id']!r}, which says "
                    f"something else than {envelope.id!r}. Only a person can tell which one is true."
                )
            return None
        if wire_type in self._undone:
            self._undone[wire_type] -= 1
            if not self._undone[wire_type]:
                del self._undone[wire_type]
            self._store()
            return None
        self._filled[wire_type] = {"id": envelope.id, "digest": envelope.digest, "data": envelope.data}
        complete = None
        if not self._fired and all(one in self._filled for one in awaited):
            complete = {one: self._filled[one]["data"] for one in awaited}
            self._fired = True
            # After the join has run, ids and digests suffice to recognise a second event that differs.
            self._filled = {one: {"id": slot["id"], "digest": slot["digest"]} for one, slot in self._filled.items()}
        self._store()
        return complete

    def undo(self, wire_type: str) -> None:
        """Empty a slot, unless the join has run already."""
        if self._fired:
            return
        if self._filled.pop(wire_type, None) is None:
            self._undone[wire_type] = self._undone.get(wire_type, 0) + 1
        self._store()

    def _store(self) -> None:
        self._record.slots = self._record.slots | {
            self._join: {"filled": self._filled, "undone": self._undone, "fired": self._fired}
        }
