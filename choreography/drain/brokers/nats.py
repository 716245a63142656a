"""NATS JetStream: the messages that a durable consumer has not received, and those that it has not acknowledged."""

from __future__ import annotations

from typing import Any

import nats
from nats.errors import Error
from nats.js.errors import NotFoundError

from choreography.broker_names import stream_name
from choreography.drain.sight import DrainError, Sight, Standing, Where, dead_letter_topics
from choreography.provision import BrokerLayout


def settles(_: Where) -> float:
    """NATS is exact at once."""
    return 1.0


async def look(layout: BrokerLayout, where: Where) -> Sight:
    """Ask every stream for its consumers. Both are named as in components/brokers/nats.yaml."""
    try:
        client = await nats.connect(
            where.address, connect_timeout=5, allow_reconnect=False, max_reconnect_attempts=2, reconnect_time_wait=0.5
        )
        try:
            jetstream = client.jetstream()
            streams = {topic: (await jetstream.stream_info(stream_name(topic))).state for topic in layout.topics}
            standings = [
                await _standing(jetstream, app, topic, streams[topic].messages) for app, topic in layout.hearers
            ]
        finally:
            await client.close()
    except (Error, OSError, TimeoutError) as error:
        raise DrainError(f"NATS did not say what its streams still hold: {error!r}. Is JetStream on?") from error
    return Sight(
        tuple(standings),
        {topic: streams[topic].messages for topic in dead_letter_topics(layout)},
        {topic: str(stream.last_seq) for topic, stream in streams.items()},
    )


async def _standing(jetstream: Any, app: str, topic: str, kept: int) -> Standing:
    try:
        found = await jetstream.consumer_info(stream_name(topic), f"{app}-{stream_name(topic)}")
    except NotFoundError:
        # The consumer never subscribed, and would begin with the first message.
        return Standing(app, topic, kept)
    return Standing(app, topic, found.num_pending or 0, found.num_ack_pending or 0)
