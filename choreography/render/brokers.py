"""The facts about each broker that a cluster needs: its port, and how to measure the queues of a service."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from choreography.broker_names import (
    aws_queue,
    consumer_group,
    consumer_name,
    pull_consumer_name,
    queue_name,
    stream_name,
)

WAITING: Final = 200
"""How many waiting messages are worth one more replica: two full batches."""

_KAFKA: Final = "KAFKA_BROKERS"

Trigger = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """One broker.

    Attributes:
        port: the port of its pods.
        trigger: KEDA's trigger for a service, a topic that it consumes, and the broker's name for the service.
        per_topic: whether each topic of a service has a queue of its own.
        address: the parameter that gives KEDA the address of the broker; it comes from a Secret.
        advice: a note for readers who scale on it; the chart shows it above each autoscaler.
        elsewhere: whether it is always outside the cluster, so that no pod can be selected.
        management: the port for facts that its own protocol lacks, such as the messages that sidecars hold; else 0.
        same_address: whether KEDA takes the address in the form in which the component takes it.
        environment: the variable of the service's container in which KEDA looks for the address, if KEDA reads it only
            there; then there is no parameter.
        prefixed: whether the names of its queues contain the unchanged names of topics, so that a chart can insert a
            prefix.
    """

    port: int
    trigger: Callable[[str, str, str], Trigger]
    per_topic: bool
    address: str
    advice: str
    elsewhere: bool = False
    management: int = 0
    same_address: bool = True
    environment: str = ""
    prefixed: bool = True


def _redis(service: str, topic: str, _: str) -> Trigger:
    # Not pendingEntriesCount: a sidecar takes two batches at a time, so pending entries do not count the waiting ones.
    metadata = {"stream": topic, "consumerGroup": service, "lagCount": str(WAITING)}
    return {"type": "redis-streams", "metadata": metadata}


def _kafka(_: str, topic: str, known: str) -> Trigger:
    # KEDA reads the servers of Kafka from here or from a container's environment, and never from a Secret.
    metadata = {
        "bootstrapServersFromEnv": _KAFKA,
        "consumerGroup": consumer_group(known),
        "topic": topic,
        "lagThreshold": str(WAITING),
        "offsetResetPolicy": "earliest",
        "allowIdleConsumers": "false",
    }
    return {"type": "kafka", "metadata": metadata}


def _rabbitmq(service: str, topic: str, _: str) -> Trigger:
    metadata = {
        "queueName": queue_name(service, topic),
        "mode": "QueueLength",
        "value": str(WAITING),
        "protocol": "amqp",
    }
    return {"type": "rabbitmq", "metadata": metadata}


def _jetstream(service: str, topic: str, _: str) -> Trigger:
    return _of_consumer(consumer_name(service, topic), topic)


def _nats_pull(service: str, topic: str, _: str) -> Trigger:
    return _of_consumer(pull_consumer_name(service, topic), topic)


def _of_consumer(consumer: str, topic: str) -> Trigger:
    metadata = {"account": "$G", "stream": stream_name(topic), "consumer": consumer, "lagThreshold": str(WAITING)}
    return {"type": "nats-jetstream", "metadata": metadata}


def _sqs(_: str, __: str, known: str) -> Trigger:
    metadata = {"queueURL": aws_queue(known), "queueLength": str(WAITING), "awsRegion": "eu-west-1"}
    return {"type": "aws-sqs-queue", "metadata": metadata}


def _eventbridge(service: str, topic: str, _: str) -> Trigger:
    metadata = {
        "queueURL": queue_of_eventbridge("choreography", "dapr", service, topic),
        "queueLength": str(WAITING),
        "awsRegion": "eu-west-1",
    }
    return {"type": "aws-sqs-queue", "metadata": metadata}


def queue_of_eventbridge(bus: str, source: str, service: str, topic: str) -> str:
    """Return the EventBridge component's name for a queue; a test compares both, as the component is no package."""
    digest = hashlib.sha256(f"{bus}\0{source}\0{service}\0{topic}".encode()).hexdigest()[:10]
    return f"{re.sub('[^A-Za-z0-9_-]', '-', f'{service}-{topic}')[:53]}-{digest}"


BROKERS: Final[Mapping[str, BrokerFacts]] = {
    "redis": BrokerFacts(6379, _redis, True, "address", "The lag of a consumer group needs Redis 7."),
    "kafka": BrokerFacts(
        9092, _kafka, True, "", "More replicas than partitions would have nothing to do.", environment=_KAFKA
    ),
    "rabbitmq": BrokerFacts(
        5672, _rabbitmq, True, "host", "Queues are named <app id>-<topic> by the sidecar.", management=15672
    ),
    "nats": BrokerFacts(
        4222,
        _jetstream,
        True,
        "natsServerMonitoringEndpoint",
        "One replica handles one message at a time, so this broker needs replicas soonest.",
        same_address=False,
    ),
    "nats-pull": BrokerFacts(
        4222,
        _nats_pull,
        True,
        "natsServerMonitoringEndpoint",
        "Consumers are named <app id>-<topic>-pull by the component beside each sidecar.",
        same_address=False,
    ),
    "aws": BrokerFacts(
        443,
        _sqs,
        False,
        "awsAccessKeyID",
        "One queue per service, named by the prefix of the topics and its app id; set the region in which it is.",
        elsewhere=True,
        same_address=False,
    ),
    "eventbridge": BrokerFacts(
        443,
        _eventbridge,
        True,
        "awsAccessKeyID",
        "Queues are named by the component, for the bus that components/brokers names; on another bus their names are "
        "those that `choreography provision` prints. Set the region in which they are. One replica handles one message "
        "of a topic at a time, so this broker needs replicas soonest.",
        elsewhere=True,
        same_address=False,
        prefixed=False,
    ),
}
