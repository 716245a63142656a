"""Kafka: the committed offsets of a consumer group, compared with the ends of its topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from choreography.drain.sight import DrainError, Sight, Standing, Where, dead_letter_topics
from choreography.provision import BrokerLayout

_Offsets = Mapping[Any, int]


def settles(_: Where) -> float:
    """Sidecars commit handled messages every second; messages with a pending commit show as waiting."""
    return 1.0


async def look(layout: BrokerLayout, where: Where) -> Sight:
    """Ask for the ends of all partitions, and for the committed offsets of the groups."""
    admin = AIOKafkaAdminClient(bootstrap_servers=where.address, client_id="choreography-drain")
    # Without a group id the client joins no group, so it takes no partition away from any consumer.
    consumer = AIOKafkaConsumer(bootstrap_servers=where.address, enable_auto_commit=False)
    try:
        await admin.start()
        await consumer.start()
        # The groups first: a commit between the two questions only makes more messages seem to wait than do.
        apps = sorted({app for app, _ in layout.hearers})
        committed = {app: await _committed(admin, layout.known_as(app)) for app in apps}
        partitions = await _partitions(admin, layout)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    except (KafkaError, OSError) as error:
        raise DrainError(
            f"Kafka at {where.address} did not say what its groups have committed: {error!r}. Is it there, may we?"
        ) from error
    finally:
        await consumer.stop()
        await admin.close()
    return Sight(
        tuple(
            Standing(app, topic, _left(topic, committed[app], begins=begins, ends=ends))
            for app, topic in layout.hearers
        ),
        {topic: _left(topic, {}, begins=begins, ends=ends) for topic in dead_letter_topics(layout)},
        {topic: str(sum(end for one, end in ends.items() if one.topic == topic)) for topic in layout.topics},
    )


async def _committed(admin: Any, group: str) -> _Offsets:
    return {one: found.offset for one, found in (await admin.list_consumer_group_offsets(group)).items()}


async def _partitions(admin: Any, layout: BrokerLayout) -> list[Any]:
    there = set(await admin.list_topics())
    described = await admin.describe_topics([topic for topic in layout.topics if topic in there])
    return [TopicPartition(topic["topic"], one["partition"]) for topic in described for one in topic["partitions"]]


def _left(topic: str, committed: _Offsets, *, begins: _Offsets, ends: _Offsets) -> int:
    """Count a group without a commit from the oldest kept message, where its reader would begin."""
    return sum(end - max(committed.get(one, -1), begins[one]) for one, end in ends.items() if one.topic == topic)
