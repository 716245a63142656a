"""Messages that come twice, in reverse order, or from an attacker."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from apps.checkout.contracts import OrderCreated
from faults.crashes import Harm
from faults.hostile import hostile
from faults.replicated_flow import NAMES, TOPICS, Stage, call_off, follow

_FAR: Final = "9999999999999-0"
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
_STOP_READING: Final = """
local places = {}
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for n = 1, #flat, 2 do group[flat[n]] = flat[n + 1] end
  table.insert(places, {group['name'], group['last-delivered-id']})
  redis.call('XGROUP', 'SETID', KEYS[1], group['name'], ARGV[1])
end
return places
"""
"""One script, so that no group reads on between its place being noted and its place being moved out of reach."""


async def twice(stage: Stage) -> None:
    """Every published event is published a second time, a moment later."""
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
    """One service gets nothing for a while, and then all of it in reverse order."""

    async def harm(stage: Stage) -> None:
        sidecars = [f"{name}-sidecar" for name in stage.replicas(service)]
        await stage.kill(*sidecars)
        await asyncio.sleep(4)
        held: list[tuple[tuple[int, ...], str, dict[Any, Any]]] = []
        for topic in TOPICS:
            for entry, flat in await stage.redis.eval(_HOLD_BACK, 1, topic, service):
                held.append((_place(entry), topic, dict(zip(flat[::2], flat[1::2], strict=True))))
        await stage.bring_back(*sidecars)
        for _, topic, fields in sorted(held, key=lambda one: one[:2], reverse=True):
            await _publish_again(stage, topic, fields)

    return harm


async def first_events_lost(stage: Stage) -> None:
    """Orders are accepted and their first events are lost before any service gets them; no client sends them again."""
    places = {topic: dict(await stage.redis.eval(_STOP_READING, 1, topic, _FAR)) for topic in TOPICS}
    try:
        await asyncio.sleep(4)
    finally:
        for topic, groups in places.items():
            # Groups have different positions: an event that the fastest group has read must not be deleted.
            furthest = max((_place(place), place) for place in groups.values())[1] if groups else b"0-0"
            for entry, fields in await stage.redis.xrange(topic, min=b"(" + furthest):
                if b'"order.created.v1"' in fields.get(b"data", b""):
                    await stage.redis.xdel(topic, entry)
            for group, place in groups.items():
                await stage.redis.xgroup_setid(topic, group, place)


def _place(entry: bytes) -> tuple[int, ...]:
    return tuple(int(part) for part in entry.split(b"-"))


async def poison(stage: Stage) -> None:
    """Events that an attacker with access to the broker might send."""
    for raw in hostile().values():
        stage.expect(raw, frozenset({"order"}))
        for _ in range(2):
            await stage.redis.xadd(NAMES.on_broker(OrderCreated.topic), {"data": raw})
        await asyncio.sleep(0.1)
