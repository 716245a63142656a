"""Names of topics on each broker, and their longest lengths: a flow must be able to move to any of the brokers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from choreography.service import Service
from choreography.topics import TopicNaming, all_topics, subscribed_by

_LONGEST_ON_AWS: Final = 80
_LONGEST: Final = {"EventBridge (detail-type)": 128, "Kafka (topic)": 249}
_LONGEST_QUEUE: Final = {"RabbitMQ (queue)": 255, "NATS (consumer)": 250}


def stream_name(topic: str) -> str:
    """Return the stream of NATS that holds a topic. Neither it nor a consumer can have dots in its name."""
    return topic.replace(".", "_")


def consumer_name(app: str, topic: str) -> str:
    """Return the durable consumer of NATS by which an app reads a topic."""
    return f"{app}-{stream_name(topic)}"


def pull_consumer_name(app: str, topic: str) -> str:
    """Return the durable consumer of NATS from which our own component pulls the events of an app."""
    return f"{consumer_name(app, topic)}-pull"


def inbox(app: str) -> str:
    """Return the NATS subject below which our own component receives the replies to an app's requests."""
    return f"_INBOX.{app}"


def deliver_subject(app: str, topic: str) -> str:
    """Return the NATS subject to which a consumer delivers, where it is provisioned; no stream stores this subject."""
    return f"deliver.{consumer_name(app, topic)}"


def queue_name(app: str, topic: str) -> str:
    """Return the queue of RabbitMQ in which an app finds the events of a topic."""
    return f"{app}-{topic}"


def aws_name(wanted: str) -> str:
    """Return the name that Dapr's component makes of a queue's or topic's name that AWS does not accept."""
    return _without_dots(wanted)[:_LONGEST_ON_AWS]


def consumer_group(known: str) -> str:
    """Return the consumer group of Kafka of an app, from the app's name on the broker."""
    return known


def aws_queue(known: str) -> str:
    """Return the queue of SQS of an app, from the app's name on the broker without dots."""
    return aws_name(known.replace(".", "_"))


def of_prefix(base: str, names: TopicNaming) -> str:
    """Complete a name that contains the prefix of all topics, as ``{prefix}.`` or ``{prefix}_``."""
    return re.sub(r"\{prefix\}([._])", rf"{names.prefix}\1" if names.prefix else "", base)


def _without_dots(wanted: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", wanted)


def of_topic(base: str, topic: str) -> str:
    """Complete a template that is written once for every topic: a component's file, or a name in it."""
    return base.replace("{topic}", topic).replace("{stream}", stream_name(topic))


def unusable(services: Sequence[Service], names: TopicNaming) -> Iterator[str]:
    """Yield a sentence for each topic whose name is too long for a broker, or equal to another topic's name there."""
    topics = [names.on_broker(topic) for topic in all_topics(services)]
    queues = {queue_name(one.name, names.on_broker(topic)) for one in services for topic in subscribed_by(one)}
    yield from _longer([_without_dots(topic) for topic in topics], {"SNS and SQS": _LONGEST_ON_AWS})
    yield from _longer([names.on_broker(one.name) for one in services], {"SQS (queue)": _LONGEST_ON_AWS})
    yield from _longer(topics, _LONGEST)
    yield from _longer(sorted(queues), _LONGEST_QUEUE)
    known: dict[str, str] = {}
    for topic in topics:
        first = known.setdefault(aws_name(topic), topic)
        if first != topic:
            yield (
                f"The topics {first} and {topic} are both called {aws_name(topic)!r} on SNS and SQS, where names have "
                "no dots, so each would receive the events of the other. Rename one of the two event families."
            )


def _longer(wanted: Iterable[str], limits: dict[str, int]) -> Iterator[str]:
    for name in wanted:
        yield from (_too_long(name, broker, most) for broker, most in limits.items() if len(name) > most)


def _too_long(name: str, broker: str, most: int) -> str:
    return (
        f"The name {name!r} is longer than {broker} allows ({most} characters), so the flow could not run there. "
        "Shorten the wire type, the name of the service or the prefix of the topics."
    )
