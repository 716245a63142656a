"""The start-up self-check: store, broker and scheduler are judged by their behaviour, not by their claims.

A service that started on a store whose transactions are not atomic, or on a broker that forgets a failed message,
would lose or double events much later and in another place. Here it refuses to start, with a sentence that says what to
change.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from choreography.engine.delivery import CANARY_TYPE, Delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Stored, Write
from choreography.engine.records import Outgoing
from choreography.errors import SelfCheckError
from choreography.service import Service
from choreography.sidecar.client import SidecarClient
from choreography.stores.port import Store
from choreography.topics import canary as canary_topic
from choreography.topics import published_by

_CANARY_PATIENCE: Final = 45.0
_ANOTHER_CANARY: Final = 15.0
"""Seconds after which another canary is sent: a sidecar may lose a message that it takes while it still subscribes."""
_PUBLISHING_PATIENCE: Final = 5.0
_SIDECAR_NOTICE: Final = 5.0
_PROBE_TTL: Final = 300

log = structlog.get_logger()


class Canaries:
    """Events that a service sends itself at the start. It answers the first delivery RETRY; a safe broker redelivers.

    Replicas share a subscription, so a canary may be delivered to another replica than the waiting one. The replica
    that sees it return records that in the store, which all replicas share.
    """

    def __init__(self, service: str, store: Store) -> None:
        self.topic = canary_topic(service)
        self._service, self._store = service, store
        self._seen: dict[str, int] = {}

    def key(self, canary: str) -> Key:
        """Return the store key under which the return of a canary is recorded."""
        return Key(self._service, "canary", canary)

    def knows(self, delivery: Delivery) -> bool:
        """Tell whether this is a canary of any replica of this service."""
        envelope = delivery.envelope
        return envelope is not None and (envelope.type, envelope.source) == (CANARY_TYPE, self._service)

    async def arrived(self, delivery: Delivery) -> bool:
        """Take a canary; return False to have it redelivered."""
        canary = delivery.identity
        self._seen[canary] = self._seen.get(canary, 0) + 1
        if self._seen[canary] < 2:
            return False
        returned = await self._store.commit([Write(self.key(canary), "returned", ANY_ETAG, _PROBE_TTL)])
        if not isinstance(returned, Committed):
            return False
        self._seen.pop(canary, None)
        return True


class SelfCheck:
    """Probes the store, the broker and the scheduler of one service."""

    def __init__(self, service: Service, sidecar: SidecarClient, store: Store, canaries: Canaries) -> None:
        self._service, self._sidecar, self._store, self._canaries = service, sidecar, store, canaries
        self._run = secrets.token_hex(8)

    async def of_store(self) -> None:
        """Wait for the sidecar, then probe the store, which must be right before the first event is settled.

        Raises:
            SelfCheckError: the store would lose or double events.
        """
        await self._wait_for_sidecar()
        await self._store.check()
        await self._check_store()

    async def of_broker(self) -> None:
        """Probe broker and scheduler while events are already being settled.

        All topics of a sidecar share its workers: a service that held all deliveries until its canary is back would
        block its own canary, give up, and do the same at every start.

        Raises:
            SelfCheckError: broker or scheduler would lose events.
        """
        await self._check_canary()
        # Nothing is published here: consumers would get it, and a canary is no event for them.
        await asyncio.gather(*(self._check_topic(topic) for topic in published_by(self._service)))
        await self._check_scheduler()

    async def _wait_for_sidecar(self) -> None:
        waited = 0.0
        while (await self._sidecar.get("/v1.0/healthz/outbound"))[0] not in (200, 204):
            await asyncio.sleep(0.1)
            waited += 0.1
            if abs(waited % _SIDECAR_NOTICE) < 0.05:
                log.warning("waiting for the sidecar", seconds=round(waited))

    async def _check_store(self) -> None:
        """Probe the behaviour that the guarantee rests on: stale ETags, first-write, and all-or-nothing."""
        one, two = self._key("one"), self._key("two")
        first = await self._store.commit([_probe(one, "1", None), _probe(two, "1", None)])
        if not isinstance(first, Committed):
            raise SelfCheckError(
                f"The state store does not accept a transaction: {first.detail}. "
                "Check that the statestore component is loaded, reachable and scoped to this service."
            )
        again = await self._store.commit([_probe(one, "2", None)])
        stale = await self._store.commit([_probe(one, "3", ANY_ETAG), _probe(two, "3", await self._stale_etag(two))])
        values = [await self._store.confirm(key) for key in (one, two)]
        texts = [value.value if isinstance(value, Stored) else None for value in values]
        if isinstance(again, Committed) or texts[0] == "2":
            raise SelfCheckError(self._bad_store("a first-write inside a transaction overwrote what was there"))
        if isinstance(stale, Committed) or "3" in texts:
            raise SelfCheckError(self._bad_store("a transaction with a stale ETag left something behind"))
        bulk = await self._store.read((one, two, self._key("absent")))
        if bulk.failed or set(bulk.found) != {one, two}:
            raise SelfCheckError(self._bad_store("a bulk get did not show what had just been written"))
        deleted = await self._store.commit([Write.deletion(one), _probe(two, "4", ANY_ETAG)])
        if not isinstance(deleted, Committed) or await self._store.confirm(one) is not None:
            raise SelfCheckError(self._bad_store("a transaction did not delete what it was to delete"))

    async def _stale_etag(self, key: Key) -> str:
        """Read a real ETag, then make it stale: an invented one might be refused for its form alone."""
        stored = await self._store.confirm(key)
        if not isinstance(stored, Stored) or not stored.etag:
            raise SelfCheckError(self._bad_store("a value that was just committed came back without an ETag"))
        moved = await self._store.commit([_probe(key, "1", stored.etag)])
        if not isinstance(moved, Committed):
            raise SelfCheckError(self._bad_store("a transaction under the current ETag was refused"))
        return stored.etag

    def _bad_store(self, what: str) -> str:
        return f"The state store cannot keep the guarantee: {what}. {self._store.unsafe}"

    def _key(self, name: str) -> Key:
        return Key(self._service.name, "probe", f"{self._run}/{name}")

    async def _check_canary(self) -> None:
        end = _now() + _CANARY_PATIENCE
        sent: list[str] = []
        while _now() < end:
            sent.append(f"returning-{len(sent)}")
            while await self._sidecar.publish([self._canary(self._canaries.topic, sent[-1])]):
                if _now() > end:
                    raise SelfCheckError(_unpublishable(self._canaries.topic))
                await asyncio.sleep(0.5)
            if await self._returns(sent, min(end, _now() + _ANOTHER_CANARY)):
                return
        raise SelfCheckError(
            f"An event that was answered RETRY did not come back within {_CANARY_PATIENCE:.0f} s, so the "
            "broker would lose every event whose handling fails once. Give the pub/sub component an inbound "
            "retry policy with maxRetries -1, as the only resource in its file (components/resiliency.yaml), "
            f"and a subscription to {self._canaries.topic}."
        )

    async def _returns(self, sent: Sequence[str], until: float) -> bool:
        """Wait until one of these canaries was delivered twice. Two different canaries do not count as a redelivery."""
        keys = [self._canaries.key(f"{self._run}-{name}") for name in sent]
        while _now() < until:
            for key in keys:
                if isinstance(await self._store.confirm(key), Stored):
                    return True
            await asyncio.sleep(0.1)
        return False

    async def _check_topic(self, topic: str) -> None:
        end = _now() + _PUBLISHING_PATIENCE
        while not await self._sidecar.may_publish(topic):
            if _now() > end:
                raise SelfCheckError(_unpublishable(topic))
            await asyncio.sleep(0.5)

    async def _check_scheduler(self) -> None:
        if not (self._service.deadlines or self._service.commands):
            return
        status, metadata = await self._sidecar.get("/v1.0/metadata")
        scheduler = metadata.get("scheduler") if status == 200 and isinstance(metadata, dict) else None
        if not (isinstance(scheduler, dict) and scheduler.get("connected_addresses")):
            raise SelfCheckError(
                f"{self._service.name} declares {self._needing_a_scheduler()}, but its sidecar is connected to no "
                "scheduler: no deadline would ever fire, and nobody would look after a command whose event the broker "
                "loses. Start the Dapr scheduler and point the sidecar at it (--scheduler-host-address)."
            )

    def _needing_a_scheduler(self) -> str:
        needing = {"deadlines": self._service.deadlines, "commands": self._service.commands}
        return " and ".join(name for name, declared in needing.items() if declared)

    def _canary(self, topic: str, name: str) -> Outgoing:
        envelope = Envelope(
            id=f"{self._run}-{name}",
            type=CANARY_TYPE,
            source=self._service.name,
            subject=name,
            time=datetime.now(UTC),
            flow_id=f"canary-{self._run}",
            causation_id="",
            traceparent="",
            data={},
        )
        return Outgoing(topic, name, envelope.encode())


def _now() -> float:
    return asyncio.get_running_loop().time()


def _probe(key: Key, value: str, etag: str | None) -> Write:
    return Write(key, value, etag, _PROBE_TTL)


def _unpublishable(topic: str) -> str:
    return (
        f"The broker does not accept an event on the topic {topic!r}, so what this service decides could not be "
        "told. Check that the pub/sub component is loaded, that the topic (or stream) exists, and that "
        "publishingScopes allow it."
    )
