"""NATS JetStream: a stream for every topic, and a durable consumer for every subscriber."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import nats
from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from choreography.broker_names import consumer_name, deliver_subject, stream_name
from choreography.provision.layout import BrokerLayout, ProvisionError
from choreography.settings import span_of

_OF_CONSUMERS: Final = frozenset(
    {
        *("ackpolicy", "backoff", "flowcontrol", "heartbeat", "maxackpending", "maxdeliver", "memorystorage"),
        *("ratelimit", "replicas", "startsequence", "starttime"),
    }
)
"""Settings of a component that a consumer must have from its beginning, and of which nothing is known here."""


async def provision(layout: BrokerLayout, address: str, *, partitions: int, copies: int) -> Sequence[str]:  # noqa: ARG001
    """Make the missing streams, on disk, and the consumers, in the form in which the components would make them."""
    told = []
    try:
        # By default the client tries for two minutes; a command line should fail sooner.
        client = await nats.connect(
            address,
            connect_timeout=5,
            allow_reconnect=False,
            max_reconnect_attempts=2,
            reconnect_time_wait=0.5,
            error_cb=_said_once,
        )
        try:
            jetstream = client.jetstream()
            there = {stream.config.name for stream in await jetstream.streams_info()}
            for topic in layout.topics:
                if (name := stream_name(topic)) in there:
                    continue
                await jetstream.add_stream(
                    StreamConfig(
                        name=name,
                        subjects=[topic],
                        storage=StorageType.FILE,
                        # Not by interest: events without a subscriber so far must stay.
                        retention=RetentionPolicy.LIMITS,
                        num_replicas=copies,
                    )
                )
                told.append(f"NATS stream {name} of {topic}")
            told += [one for app, topic in layout.hearers for one in await _consumer(jetstream, layout, app, topic)]
        finally:
            await client.close()
    except (Error, OSError, TimeoutError) as error:
        raise ProvisionError(f"NATS at {address} did not make the streams: {error!r}. Is JetStream on?") from error
    return told


async def _consumer(jetstream: Any, layout: BrokerLayout, app: str, topic: str) -> Sequence[str]:
    """Make the consumer by which an app reads a topic, unless it exists, and report it.

    A component accepts an existing consumer that equals its own except for the delivery subject. This subject is no
    inbox here, so that the server can protect it from all other users.
    """
    stream, name, settings = stream_name(topic), consumer_name(app, topic), layout.settings
    if _OF_CONSUMERS & settings.keys() or settings.get("deliverpolicy", "all") != "all":
        return []
    try:
        await jetstream.consumer_info(stream, name)
    except NotFoundError:
        wait = settings.get("ackwait")
        await jetstream.add_consumer(
            stream,
            ConsumerConfig(
                durable_name=name,
                deliver_group=name,
                deliver_subject=deliver_subject(app, topic),
                filter_subject=topic,
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=span_of(wait).total_seconds() if wait else None,
            ),
        )
        return [f"NATS consumer {name} on stream {stream}"]
    return []


async def _said_once(_: Exception) -> None:
    """Print nothing: every error is raised in the end, and the client would print its stack each time."""
