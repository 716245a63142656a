"""Publishing events from the transactions of an application that has its own code, tables and sessions.

::

    outbox = Outbox(shop, schema="paid_orders_shop")

    async with session.begin():
        session.add(Order(...))
        await outbox.publish(session, OrderPlaced(order_id=...), key=order_id)

The service's own process publishes the event after the commit. Without a commit it is never published.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from opentelemetry.propagate import inject
from sqlalchemy import Connection, Integer, String, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from choreography.contracts import Event
from choreography.engine.accepted import Recorded
from choreography.engine.commanding import Commanding
from choreography.engine.identity import OUTCOME, POSTED, derived_id
from choreography.errors import ChoreographyError
from choreography.service import Service
from choreography.stores.address import DatabaseAddress

__all__ = ["Outbox"]

_NAMES: Final = ("service", "kind", "outcome", "id", "record")


class Outbox:
    """Publishes for an application: its transaction writes a note of the event into the service's schema.

    Args:
        service: the service that the application is a part of; it is declared with ``outbox=True``.
        schema: the schema of the service (``CHOREOGRAPHY_SCHEMA``), in the application's database.
    """

    def __init__(self, service: Service, *, schema: str) -> None:
        if not service.outbox:
            raise ChoreographyError(
                f"{service.name} is not declared with an outbox, so its process would not look for what an application "
                f"publishes. Declare it: Service({service.name!r}, outbox=True, ...)."
            )
        DatabaseAddress.read("postgresql://", schema)  # a schema that passes this is safe in a statement
        self._service, self._commanding = service, Commanding(service)
        held = [bindparam(name, type_=String) for name in _NAMES]
        self._insert = text(
            f"insert into {schema}.note_records (service, kind, id, etag, record) "
            "select :service, :kind, :id, 0, :record where not exists (select 1 from "
            f"{schema}.outcome_records where service = :service and kind = :outcome and id = :id) "
            "on conflict do nothing"
        ).bindparams(*held)
        known = text(
            f"select record, 0 as digest from {schema}.note_records "
            "where service = :service and kind = :kind and id = :id union all "
            f"select record, 1 from {schema}.outcome_records "
            "where service = :service and kind = :outcome and id = :id"
        )
        self._known = known.bindparams(*held[:-1]).columns(record=String, digest=Integer)

    async def publish(self, session: AsyncSession | AsyncConnection, event: Event, *, key: str = "") -> str:
        """Publish an event when this transaction commits; return its id.

        Args:
            session: an open session or connection to PostgreSQL, in whose transaction the event is noted.
            event: the event.
            key: identifies the event, such as the id of a request: publishing with the same key again repeats the
                event. Without a key each call makes a new event.

        Raises:
            ChoreographyError: the service does not publish such events, or the key belongs to another event.
            UnsayableEventError: the event is too large.
        """
        return await session.run_sync(lambda inner: self.publish_sync(inner, event, key=key))

    def publish_sync(self, session: Session | Connection, event: Event, *, key: str = "") -> str:
        """Publish the event like :meth:`publish`, in a synchronous session."""
        if type(event) not in self._service.publishes:
            known = ", ".join(sorted(one.__name__ for one in self._service.publishes)) or "nothing"
            raise ChoreographyError(
                f"{self._service.name} does not publish {type(event).__name__}; it publishes {known}. Add it to "
                f"Service({self._service.name!r}, publishes=[...])."
            )
        event_id = derived_id("outbox", self._service.name, key or uuid.uuid4().hex)
        accepted = self._commanding.accept(event, event_id, datetime.now(UTC), _traceparent())
        given = {"service": self._service.name, "kind": POSTED, "outcome": OUTCOME, "id": event_id}
        noted: Any = session.execute(self._insert, {**given, "record": Recorded.of(accepted).encode()})
        if noted.rowcount == 0:
            self._refuse_other(session, given, accepted.envelope.digest, key)
        return event_id

    def _refuse_other(self, session: Session | Connection, given: dict[str, str], digest: str, key: str) -> None:
        for record, place in session.execute(self._known, given):
            if orjson.loads(record)[place] != digest:
                raise ChoreographyError(
                    f"The key {key!r} was used for another event, which is published under it. Use a new key for a new "
                    "event."
                )


def _traceparent() -> str:
    """Return the traceparent of the application's current span, if it has OpenTelemetry."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent", "")
