"""Messages that come twice, in reverse, or with the intent to hurt."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Final

import orjson

from faults.crashes import Harm
from faults.stage import TOPICS, Stage, call_off, follow

_HOLD_BACK: Final = """
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for n = 1, #flat, 2 do group[flat[n]] = flat[n + 1] end
  if group['name'] == ARGV[1] then
    local held = redis.call('XRANGE', KEYS[1], '(' .. group['last-delivered-id'], '+')
    local flat_stream, stream = redis.call('XINFO', 'STREAM', KEYS[1]), {}
    for n = 1, #flat_stream, 2 do stream[flat_stream[n]] = flat_stream[n + 1] end
    redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], '$', 'ENTRIESREAD', stream['entries-added'])
    return held
  end
end
return {}
"""
"""One script, so that no event can slip through between being held back and being skipped."""


async def twice(stage: Stage) -> None:
    """Everything that is published is published a second time, a moment later."""
    copying = asyncio.create_task(_copy(stage))
    await asyncio.sleep(9)
    await call_off(copying)


async def _copy(stage: Stage) -> None:
    async for topic, entry, fields in follow(stage.redis, TOPICS):
        if (topic, entry) not in stage.copies:
            await _publish_again(stage, topic, fields)


async def _publish_again(stage: Stage, topic: str, fields: dict[Any, Any]) -> None:
    entry = await stage.redis.xadd(topic, fields)
    stage.copies.add((topic, entry.decode()))


def reversed_for(service: str) -> Harm:
    """One service hears nothing for a while, and then all of it from the end to the beginning."""

    async def harm(stage: Stage) -> None:
        sidecars = [f"{name}-sidecar" for name in stage.replicas(service)]
        await stage.kill(*sidecars)
        await asyncio.sleep(4)
        held: list[tuple[tuple[int, ...], str, dict[Any, Any]]] = []
        for topic in TOPICS:
            for entry, flat in await stage.redis.eval(_HOLD_BACK, 1, topic, service):
                place = tuple(int(part) for part in entry.decode().split("-"))
                held.append((place, topic, dict(zip(flat[::2], flat[1::2], strict=True))))
        await stage.bring_back(*sidecars)
        for _, topic, fields in sorted(held, key=lambda one: one[:2], reverse=True):
            await _publish_again(stage, topic, fields)

    return harm


async def poison(stage: Stage) -> None:
    """Whatever somebody who can reach the broker might send."""
    for raw in hostile():
        stage.hostile.add(raw)
        for _ in range(2):
            await stage.redis.xadd("orders", {"data": raw})
        await asyncio.sleep(0.1)


def hostile() -> list[bytes]:
    """Events that nobody can run, each made anew so that two rounds send different ones."""
    line = {"sku": "apron", "quantity": 1, "unit_price": 100}
    good = {"order_id": "hostile", "customer_id": "c", "currency": "EUR", "lines": [line], "total": 100}

    def event(**changes: Any) -> bytes:
        attributes = {
            "specversion": "1.0",
            "id": uuid.uuid4().hex,
            "type": "order.created.v1",
            "source": "order",
            "subject": "hostile",
            "time": "2026-01-01T00:00:00Z",
            "datacontenttype": "application/json",
            "data": good,
        } | changes
        return orjson.dumps({name: value for name, value in attributes.items() if value is not ...})

    once = uuid.uuid4().hex
    return [
        event(id=...),
        event(id=""),
        event(id=5),
        event(id="x" * 10_000),
        event(id=f"a\u0000{once}"),
        event(id="a\ufffdb"),
        event(type=...),
        event(type=[once]),
        event(time=...),
        event(time="2026-01-01T00:00:00"),
        event(time="2020-01-01T00:00:00Z"),
        event(time="2036-01-01T00:00:00Z"),
        event(type="order.created.v9"),
        event(data=...),
        event(data="hello"),
        event(data={"order_id": 1, "customer_id": [], "lines": "no"}),
        event(data=good | {"total": 2**63}),
        event(data=good | {"lines": []}),
        event(specversion="0.3"),
        once.encode(),
        orjson.dumps([once]),
        b'{"' + once.encode() + b'": "\xff\xfe"}',
        b'{"' + once.encode() + b'":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        event(data={"order_id": "big", "padding": "x" * 1_000_000}),
    ]
