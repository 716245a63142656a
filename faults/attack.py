"""Sends hostile events by every route: every service takes them, and every process must still be the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import orjson

from faults.accounts import Attack, account_of
from faults.forged import FOREIGN_TYPE, Forged, forged, jobs
from faults.replicated_flow import NAMES, PROVIDER, SERVERS, Stage

_NOBODY: Final = frozenset[str]()
_LOOKS: Final = 60
"""Half a second apart, for what is taken within a few seconds on a machine that has nothing else to do."""


async def by_every_route(stage: Stage) -> None:
    """Send all that an attacker with access to every topic and port could send, and wait until everything is taken."""
    before, ignored_before = _pids(stage), await _ignored(stage)
    messages = forged()
    places = await _sent(stage, messages)
    for body, name in jobs().items():
        await _fired(stage, "order", name, body)
    untaken = await _taken(stage, places)
    ignored, least = (
        await _ignored(stage),
        Counter(name for one in messages if _is_foreign(one) for name in one.ignored),
    )
    stage.attacks.append(
        Attack(
            before,
            _pids(stage),
            {name: (ignored_before[name], ignored[name], least[name]) for name in stage.flow.services},
            tuple(f"{topic} {entry}" for topic, entry in untaken),
        )
    )


def _is_foreign(one: Forged) -> bool:
    return FOREIGN_TYPE.encode() in one.raw


def _pids(stage: Stage) -> dict[str, int | None]:
    return {name: stage.flow.pid(name) for name in (*stage.apps, *stage.sidecars, *SERVERS, PROVIDER)}


async def _ignored(stage: Stage) -> Counter[str]:
    """Return how many events of the foreign type the replicas of each service have ignored in all."""
    found = Counter[str]()
    for service in stage.flow.services:
        for name in stage.replicas(service):
            account = await account_of(stage.session, name, stage.flow.address(name))
            found[service] += account.ignored.get(FOREIGN_TYPE, 0)
    return found


async def _sent(stage: Stage, messages: list[Forged]) -> list[tuple[str, str]]:
    """Send all of them at the same moment, and return the place of each on the broker."""
    async with stage.redis.pipeline(transaction=False) as pipe:
        for one in messages:
            stage.expect(one.raw, _NOBODY if one.kept else one.aside)
            if one.kept:
                stage.expect(one.kept, one.aside)
            fields = {"data": one.raw} | ({"metadata": orjson.dumps(dict(one.metadata))} if one.metadata else {})
            pipe.xadd(NAMES.on_broker(one.topic), fields)
        entries = await pipe.execute()
    return [(NAMES.on_broker(one.topic), entry.decode()) for one, entry in zip(messages, entries, strict=True)]


async def _fired(stage: Stage, service: str, name: str, body: bytes) -> None:
    """Fire a job at a service in the way of its sidecar."""
    stage.expect(body, frozenset({service}))
    replica = stage.one_of(service)
    headers = {"dapr-api-token": stage.flow.app_token(replica)}
    url = f"{stage.flow.address(replica)}/job/{name}"
    async with stage.session.post(url, data=body, headers=headers) as answer:
        answer.raise_for_status()


async def _taken(stage: Stage, places: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Wait until every consumer group has acknowledged each message; return the messages that a group has not."""
    for _ in range(_LOOKS):
        places = [one for one in places if not await _is_taken(stage, *one)]
        if not places:
            break
        await asyncio.sleep(0.5)
    return places


async def _is_taken(stage: Stage, topic: str, entry: str) -> bool:
    for group in await stage.redis.xinfo_groups(topic):
        if _place(group["last-delivered-id"].decode()) < _place(entry):
            return False
        if await stage.redis.xpending_range(topic, group["name"], entry, entry, 1):
            return False
    return True


def _place(entry: str) -> tuple[int, ...]:
    return tuple(map(int, entry.split("-")))
