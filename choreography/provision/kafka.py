"""Kafka: topics with their partitions."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from choreography.provision.layout import BrokerLayout, ProvisionError


async def provision(layout: BrokerLayout, address: str, *, partitions: int, copies: int) -> Sequence[str]:
    """Make the topics that are missing."""
    client = AIOKafkaAdminClient(bootstrap_servers=address, client_id="choreography-provision")
    try:
        await client.start()
        there = set(await client.list_topics())
        # With several copies, a publish must wait for more than one of them, or acks=all promises nothing.
        configs = {"min.insync.replicas": str(copies - 1)} if copies > 2 else {}
        missing = [
            NewTopic(topic, num_partitions=partitions, replication_factor=copies, topic_configs=configs)
            for topic in layout.topics
            if topic not in there
        ]
        answer = await client.create_topics(missing) if missing else None
    except KafkaError as error:
        raise ProvisionError(f"Kafka at {address} did not make the topics: {error!r}. Is it there, may we?") from error
    finally:
        await client.close()
    told = []
    for topic, code, *message in answer.topic_errors if answer else ():
        # Another process may have made the topic in between.
        if code not in (0, TopicAlreadyExistsError.errno):
            raise ProvisionError(f"Kafka at {address} refuses the topic {topic}: {for_code(code).__name__} {message}.")
        told.append(f"Kafka topic {topic} with {partitions} partitions")
    return told
