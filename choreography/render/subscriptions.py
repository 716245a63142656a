"""One Dapr subscription per service and topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from choreography.service import Service
from choreography.topics import PUBSUB, UNPREFIXED, TopicNaming, canary, intents, subscribed_by, undelivered

BATCH: Final = 100
FEW: Final = 10
"""What is quarantined is rare, and a batch holds workers of the broker's component for as long as it may become."""
EVENTS_ROUTE: Final = "/events"
UNDELIVERED_ROUTE: Final = "/undelivered"


def subscriptions_of(
    service: Service, pubsub: str = PUBSUB, metadata: Mapping[str, str] | None = None, names: TopicNaming = UNPREFIXED
) -> dict[str, str]:
    """Return the subscriptions of one service, by name.

    Args:
        service: the consumer.
        pubsub: the broker's component, or a pattern with ``{topic}`` if each topic has its own.
        metadata: further metadata that this broker's subscriptions need.
        names: the names of topics on the broker.
    """
    more = "".join(f'    {name}: "{value}"\n' for name, value in (metadata or {}).items())
    own = (canary(service.name), intents(service.name), undelivered(service.name))
    unreadable = names.on_broker(undelivered(service.name))
    subscriptions = {}
    for topic in subscribed_by(service):
        short = topic.removeprefix(f"{service.name}-") if topic in own else topic
        name = f"{service.name}-{short}"
        rest = _UNDELIVERED if topic == undelivered(service.name) else _EVENTS.format(unreadable)
        known = names.on_broker(topic)
        head = _HEAD.format(name=name, topic=known, pubsub=pubsub.format(topic=known))
        subscriptions[name] = f"{head}{more}{rest}scopes:\n  - {service.name}\n"
    return subscriptions


_HEAD: Final = """\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata:
  name: {name}
spec:
  pubsubname: {pubsub}
  topic: {topic}
  metadata:
"""

_EVENTS: Final = f"""\
    # The sidecar hands the bytes on as they are. If it parsed them, it would re-encode every number, acknowledge or
    # quarantine what it cannot read, and (before 1.18.3) end itself over a traceparent that is not a text.
    rawPayload: "true"
  routes:
    # A default, so that no event is without a route: in bulk such an event is posted to "/" and then forgotten.
    default: {EVENTS_ROUTE}
  bulkSubscribe:
    enabled: true
    maxMessagesCount: {BATCH}
    # At low load every hop waits all of it; one millisecond costs no throughput at high load.
    maxAwaitDurationMs: 1
  # For whatever the sidecar itself cannot hand over; without it such a message is acknowledged in silence.
  deadLetterTopic: {{}}
"""

_UNDELIVERED: Final = f"""\
    # The bytes as they are: whoever sent them may have meant anything.
    rawPayload: "true"
  routes:
    default: {UNDELIVERED_ROUTE}
  # In bulk, also where only one comes at a time: alone, a message brings its metadata in the header of the request,
  # and no server takes a header of any size. What a header refuses is delivered again for ever.
  bulkSubscribe:
    enabled: true
    maxMessagesCount: {FEW}
    maxAwaitDurationMs: 1
  # No dead letter topic of its own: what cannot be quarantined now is delivered again until it can.
"""
