"""When to scale a service: by its waiting events on the broker, as KEDA counts them. The chart places this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from choreography.render.brokers import BrokerFacts
from choreography.service import Service
from choreography.topics import UNPREFIXED, TopicNaming, intents


def triggers_of(service: Service, broker: BrokerFacts, names: TopicNaming = UNPREFIXED) -> Iterator[Mapping[str, Any]]:
    """Yield KEDA's triggers for one service, one for each of its queues on the broker."""
    topics = [*sorted(service.hears), *([intents(service.name)] if service.effects else [])]
    for topic in topics if broker.per_topic else topics[:1]:
        yield broker.trigger(service.name, names.on_broker(topic), names.on_broker(service.name))
