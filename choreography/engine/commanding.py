"""Commands: an accepted request becomes one event, and each repeat of the request becomes the same event."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from choreography.contracts import Event
from choreography.declaration import Command
from choreography.engine.envelope import Envelope
from choreography.engine.identity import derived_id
from choreography.engine.keys import require_own_key
from choreography.engine.operations import Limits
from choreography.engine.records import Outgoing
from choreography.service import Service

MOMENT: Final = timedelta(seconds=5)
"""An event that was published more recently than this is most likely on its way."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One accepted command: its event, in its envelope, and as the text that is published."""

    event: Event
    envelope: Envelope
    outgoing: Outgoing


class Commanding:
    """Turns requests into events, and remembers for a while what this replica accepted."""

    def __init__(self, service: Service, limits: Limits | None = None) -> None:
        self._service = service
        self._remembered = (limits or Limits()).remembered_commands
        self._accepted: OrderedDict[str, Accepted] = OrderedDict()
        self._subjects: OrderedDict[str, datetime] = OrderedDict()

    def event_id(self, caller: str, route: str, key: str) -> str:
        """Return the id of the event that this caller's request with this Idempotency-Key becomes.

        Raises:
            WeakKeyError: the caller is anonymous, and somebody else could send the same key.
        """
        require_own_key(caller, key)
        return derived_id("command", self._service.name, caller, route, key)

    def event(self, command: Command, event_id: str, arguments: Mapping[str, Any]) -> Event:
        """Call the command's pure function; new ids derive from the event's id."""
        new = {name: derived_id(event_id, name) for name in command.new_ids}
        return command.function(**arguments, **new)

    def accept(self, event: Event, event_id: str, now: datetime, traceparent: str) -> Accepted:
        """Return the event as published. A retry that this replica remembers returns the same text, byte for byte.

        Raises:
            UnsayableEventError: the event is too large.
        """
        envelope = Envelope(
            id=event_id,
            type=event.wire_type,
            source=self._service.name,
            subject=event.subject,
            time=now,
            flow_id=event.subject,
            causation_id="",
            traceparent=traceparent,
            data=event.model_dump(mode="json"),
        )
        known = self._accepted.get(event_id)
        if known is not None and known.envelope.digest == envelope.digest:
            return known
        return Accepted(event, envelope, Outgoing(type(event).topic, event.subject, envelope.encode()))

    def contradicts(self, accepted: Accepted) -> bool:
        """Tell whether this replica accepted another body under the same key."""
        known = self._accepted.get(accepted.envelope.id)
        return known is not None and known.envelope.digest != accepted.envelope.digest

    def remember(self, accepted: Accepted) -> None:
        """Remember an accepted command until other records have long settled it."""
        self._accepted[accepted.envelope.id] = accepted
        self._subjects[accepted.envelope.subject] = accepted.envelope.time
        for memory in (self._accepted, self._subjects):
            if len(memory) > self._remembered:
                memory.popitem(last=False)

    def just_accepted(self, subject: str) -> bool:
        """Tell whether this replica has accepted a command about ``subject``."""
        return subject in self._subjects

    def is_on_its_way(self, subject: str, now: datetime) -> bool:
        """Tell whether the last command about ``subject`` was accepted here just now, so that its event is not late."""
        accepted = self._subjects.get(subject)
        return accepted is not None and now - accepted < MOMENT
