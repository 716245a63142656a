"""RabbitMQ: an exchange for every topic, and a quorum queue for every subscriber, as sidecars declare them."""

from __future__ import annotations

from collections.abc import Sequence

import aio_pika
from aio_pika.exceptions import AMQPError

from choreography.provision.layout import BrokerLayout, ProvisionError


async def provision(layout: BrokerLayout, address: str, *, partitions: int, copies: int) -> Sequence[str]:  # noqa: ARG001
    """Make exchanges and queues, and bind them. RabbitMQ places the copies of a quorum queue itself."""
    told = []
    try:
        connection = await aio_pika.connect(address, timeout=10)
        async with connection, connection.channel() as channel:
            for topic in layout.topics:
                await channel.declare_exchange(topic, aio_pika.ExchangeType.FANOUT, durable=True)
            for app, topic in layout.hearers:
                # The component will declare this name with these arguments again; RabbitMQ refuses others.
                queue = await channel.declare_queue(
                    f"{app}-{topic}", durable=True, arguments={"x-queue-type": "quorum"}
                )
                await queue.bind(topic, routing_key="")
                told.append(f"RabbitMQ queue {queue.name} on exchange {topic}")
    except (AMQPError, OSError, TimeoutError) as error:
        raise ProvisionError(f"RabbitMQ did not make exchanges and queues: {error!r}. Is it there, may we?") from error
    return told
