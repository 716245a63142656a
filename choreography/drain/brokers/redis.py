"""Redis Streams: the entries that a consumer group has not read yet, and those that it has not acknowledged."""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from choreography.drain.sight import DrainError, Sight, Standing, Where, dead_letter_topics
from choreography.provision import BrokerLayout

_MOST: Final = 10_000
"""How many entries are counted one by one; more are as good as this many."""


def settles(_: Where) -> float:
    """Redis is exact at once."""
    return 1.0


async def look(layout: BrokerLayout, where: Where) -> Sight:
    """Ask every stream for its groups. A group is called after its app, as the component names it."""
    url = where.address if "://" in where.address else f"redis://{where.address}"
    try:
        async with Redis.from_url(url, decode_responses=True, socket_timeout=10) as client:
            groups = {topic: await _groups(client, topic) for topic in layout.topics}
            return Sight(
                tuple([await _standing(client, app, topic, groups[topic].get(app)) for app, topic in layout.hearers]),
                {topic: await client.xlen(topic) for topic in dead_letter_topics(layout)},
                {topic: await _last(client, topic) for topic in layout.topics},
            )
    except (RedisError, OSError, TimeoutError) as error:
        raise DrainError(f"Redis did not say what its streams still hold: {error!r}. Is it there, may we?") from error


async def _groups(client: Any, topic: str) -> dict[str, dict[str, Any]]:
    try:
        return {group["name"]: group for group in await client.xinfo_groups(topic)}
    except ResponseError as error:
        if "no such key" not in str(error):
            raise
        return {}


async def _standing(client: Any, app: str, topic: str, group: dict[str, Any] | None) -> Standing:
    if group is None:
        return Standing(app, topic, await client.xlen(topic))
    lag = group.get("lag")
    if lag is None:
        # Redis is older than 7, or entries were deleted: then Redis does not count, and this module does.
        unread = await client.xrange(topic, min=f"({group['last-delivered-id']}", count=_MOST)
        lag = len(unread)
    return Standing(app, topic, int(lag), int(group["pending"]))


async def _last(client: Any, topic: str) -> str:
    try:
        return str((await client.xinfo_stream(topic))["last-generated-id"])
    except ResponseError as error:
        if "no such key" not in str(error):
            raise
        # The same result as for a stream that exists and was never published to.
        return "0-0"
