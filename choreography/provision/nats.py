"""NATS JetStream: a stream for every topic."""

from __future__ import annotations

from collections.abc import Sequence

import nats
from nats.errors import Error
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from choreography.broker_names import stream_name
from choreography.provision.layout import Layout, ProvisionError


async def provision(layout: Layout, address: str, *, partitions: int, copies: int) -> Sequence[str]:  # noqa: ARG001
    """Make the streams that are missing, on disk."""
    told = []
    try:
        # By default it asks for two minutes; whoever provisions wants to know at once.
        client = await nats.connect(
            address, connect_timeout=5, allow_reconnect=False, max_reconnect_attempts=2, reconnect_time_wait=0.5
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
                        # Not by interest: what nobody has subscribed to yet must stay.
                        retention=RetentionPolicy.LIMITS,
                        num_replicas=copies,
                    )
                )
                told.append(f"NATS stream {name} of {topic}")
        finally:
            await client.close()
    except (Error, OSError, TimeoutError) as error:
        raise ProvisionError(f"NATS at {address} did not make the streams: {error!r}. Is JetStream on?") from error
    return told
