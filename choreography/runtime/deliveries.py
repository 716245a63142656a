"""The route of deliveries from the sidecar. A plain ASGI endpoint, since it is called a thousand times a second.

Every message is answered by itself. Nothing about a request as a whole, its size included, is a reason to refuse it: a
request that is refused as a whole is redelivered for ever.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

import orjson

from choreography.engine.delivery import (
    Delivery,
    Overlong,
    read_parsed,
    too_large,
    unreadable,
)
from choreography.engine.reading import read_json, without_mark
from choreography.errors import InvalidEventError
from choreography.runtime.bodies.batches import BatchEntry, Message, ParsedBytes, bounded, decoded, entries_of
from choreography.runtime.bodies.broker_time import taken_at
from choreography.runtime.bodies.held import Group, Held, Statuses
from choreography.runtime.bodies.jobs import LARGEST_JOB, fired
from choreography.runtime.bodies.json_stream import NotJsonError, text_of
from choreography.runtime.bodies.parts import GoneError, beginning_of, chained, kept, parts_of
from choreography.runtime.intake import Intake
from choreography.service import Service
from choreography.topics import TopicNaming

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Read = Callable[[str, bytes | Overlong, Mapping[str, object]], Delivery | None]

_AT_ONCE: Final = 1024 * 1024
"""Bytes. A body up to this size is parsed as a whole, which costs less than streaming; nearly every body is smaller."""
_WRAPPED_TYPE: Final = "com.dapr.event.sent"
_WRAPPED_SOURCE: Final = "Dapr"


class Deliveries:
    """Takes deliveries, has them settled, and answers SUCCESS or RETRY for each. Never DROP, which ends the sidecar."""

    def __init__(
        self,
        service: Service,
        intake: Intake,
        *,
        concerns: Callable[[object], bool],
        names: TopicNaming,
        token: str,
        intake_open: bool = True,
    ) -> None:
        self._intake, self._names = intake, names
        self._concerns, self._topics = concerns, frozenset(service.hears)
        self._token, self._intake_open = token.encode(), intake_open

    def trusts(self, scope: Scope) -> bool:
        """Tell whether the caller showed the sidecar's token."""
        shown = next((value for name, value in scope["headers"] if name == b"dapr-api-token"), b"")
        return not self._token or hmac.compare_digest(shown, self._token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of the sidecar."""
        if not self.trusts(scope):
            await _answer(send, 401, {"detail": "Only this service's own sidecar may deliver events."})
            return
        try:
            answer = await self._taken(scope, receive)
        except GoneError:
            # The deliveries settled so far are repeats when they are redelivered.
            return
        await _answer(send, 200, answer)

    async def _taken(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        read: Read = self._undelivered if scope["path"] == "/undelivered" else self._event
        parts = parts_of(receive)
        beginning, is_all = await beginning_of(parts, _AT_ONCE)
        if is_all:
            try:
                message = orjson.loads(without_mark(beginning))
            except orjson.JSONDecodeError:
                # A batch of which only one entry is bad is split all the same.
                pass
            else:
                if not isinstance(message, dict):
                    return await self._single("", bounded(beginning), scope, read)
                topic = self._topic_of(message.get("topic"))
                if isinstance(message.get("entries"), list):
                    entries = [one for said in message["entries"] for one in entries_of(said)]
                    return await self._batch(topic, entries, read)
                return await self._single(topic, bounded(_raw_bytes(message)), scope, read)
        return await self._streamed(Message(chained(beginning, parts)), scope, read)

    async def _batch(self, topic: str, entries: Sequence[BatchEntry], read: Read) -> dict[str, Any]:
        statuses = Statuses()
        await self._settle_entries(topic, entries, read, statuses)
        return {"statuses": statuses.as_json()}

    def _topic_of(self, said: object) -> str:
        """Return the topic of a message, as the flow names it; an empty text if the message names none."""
        return self._names.of_flow(said) if isinstance(said, str) else ""

    async def _single(self, topic: str, event: bytes | Overlong, scope: Scope, read: Read) -> dict[str, Any]:
        metadata = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        delivery = read(topic, event, metadata)
        done = delivery is None or all(await self._settle(topic, [delivery]))
        return {"status": "SUCCESS" if done else "RETRY"}

    async def _streamed(self, message: Message, scope: Scope, read: Read) -> dict[str, Any]:
        """Take a message that is too large, or too broken, to be parsed as a whole."""
        statuses = Statuses()
        is_json = await self._settle_stream(message, read, statuses)
        whole = message.whole if is_json else await message.rest()
        if message.is_batch:
            if not is_json:
                await self._settle_broken(message, whole)
            return {"statuses": statuses.as_json()}
        event = _streamed_event(message, whole) if is_json else whole
        return await self._single(self._topic_of(message.topic), event, scope, read)

    async def _settle_stream(self, message: Message, read: Read, statuses: Statuses) -> bool:
        """Settle the entries of a batch in groups while it arrives; tell whether it was JSON to its end."""
        group, is_json = Group(), True
        with Held() as held:
            try:
                async for entry in message.entries():
                    if message.topic is None:
                        if not held.add(entry):
                            statuses.add(entry, done=False)
                    elif group.add(entry):
                        topic = self._topic_of(message.topic)
                        await self._settle_entries(topic, group.take(), read, statuses)
            except NotJsonError:
                is_json = False
            if message.topic is not None or is_json:
                # Otherwise the topic of these entries is unknown, so they are not answered.
                topic = self._topic_of(message.topic)
                for entry in held:
                    if group.add(entry):
                        await self._settle_entries(topic, group.take(), read, statuses)
                await self._settle_entries(topic, group.take(), read, statuses)
        return is_json

    async def _settle_broken(self, message: Message, whole: bytes | Overlong) -> None:
        """Quarantine a batch that stops being JSON after some of its entries, which are settled by now."""
        problem = "The batch is not JSON to its end, so what followed its last readable entry could not be taken."
        delivery = too_large(whole) if isinstance(whole, Overlong) else unreadable(whole, problem)
        await self._settle(self._topic_of(message.topic), [delivery._replace(problem=problem)])

    async def _settle_entries(self, topic: str, entries: Sequence[BatchEntry], read: Read, statuses: Statuses) -> None:
        deliveries = [_no_entry(one) if one.problem else read(topic, one.event, one.metadata) for one in entries]
        done = iter(await self._settle(topic, [one for one in deliveries if one is not None]))
        for entry, delivery in zip(entries, deliveries, strict=True):
            statuses.add(entry, done=delivery is None or next(done))

    def _event(self, topic: str, event: bytes | Overlong, metadata: Mapping[str, object]) -> Delivery | None:
        """Read one event; None if this service does not consume it."""
        if isinstance(event, Overlong):
            return too_large(event)
        raw = without_mark(event)
        try:
            parsed: Any = event.parsed if isinstance(event, ParsedBytes) else read_json(raw)
        except InvalidEventError as error:
            return unreadable(raw, str(error))
        if not isinstance(parsed, dict):
            return read_parsed(parsed, raw)
        if topic in self._topics and not self._concerns(parsed.get("type")):
            self._intake.ignore(parsed["type"])
            return None
        return read_parsed(parsed, raw, topic=topic, taken=taken_at(metadata) if parsed.get("time") is None else "")

    def _undelivered(self, _topic: str, event: bytes | Overlong, _metadata: Mapping[str, object]) -> Delivery:
        """Take messages that the sidecar could not deliver."""
        if isinstance(event, Overlong):
            return too_large(event)
        problem = "The sidecar could not read this message, so it is no event any service could have reacted to."
        return unreadable(event, problem)

    async def _settle(self, topic: str, deliveries: Sequence[Delivery]) -> list[bool]:
        return [fate.done for fate in await self._intake.take(topic, deliveries)]

    async def due(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a fired job: the deadlines of one batch, each an ordinary event of this service."""
        if not self.trusts(scope):
            await _answer(send, 401, {"detail": "Only this service's own sidecar may fire deadlines."})
            return
        if not self._intake_open:
            # The scheduler keeps the job and fires it again. Its events would go to a broker that is about to be left.
            await _answer(send, 503, {"detail": "The intake of this service is closed, so its deadlines wait."})
            return
        try:
            body = await kept(parts_of(receive), LARGEST_JOB)
        except GoneError:
            return
        # Only 200 ends a job: the scheduler fires it again for as long as one of its deadlines is not settled.
        done = await self._settle("", fired(body))
        await _answer(send, 200 if all(done) else 500, {"fired": sum(done)})


def _no_entry(entry: BatchEntry) -> Delivery:
    event = entry.event
    return too_large(event) if isinstance(event, Overlong) else unreadable(event, entry.problem)


def _is_wrapped(type_: object, source: object) -> bool:
    return type_ == _WRAPPED_TYPE and source == _WRAPPED_SOURCE


def _raw_bytes(message: dict[str, Any]) -> bytes:
    """Return the event of a message delivered alone: the bytes that the sidecar wrapped, or the message itself.

    With a subscription to raw payloads the sidecar wraps each message in an envelope of its own. An event of another
    publisher may also hold ``data_base64``; that is then the data of the event, and not the event itself.
    """
    held = message.get("data_base64")
    if isinstance(held, str) and (
        "specversion" not in message or _is_wrapped(message.get("type"), message.get("source"))
    ):
        return decoded(held)
    return ParsedBytes(message)


def _streamed_event(message: Message, whole: bytes | Overlong) -> bytes | Overlong:
    held = message.fields.get("data_base64")
    if held is None or not _is_wrapped(message.text("type"), message.text("source")):
        return whole
    return held if isinstance(held, Overlong) else bounded(decoded(text_of(held)))


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})
