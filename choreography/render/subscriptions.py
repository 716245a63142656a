"""One Dapr subscription per service and topic, each in a file of its own."""

from __future__ import annotations

from typing import Final

from choreography.service import Service
from choreography.topics import PUBSUB, heard_by, undelivered

BATCH: Final = 100
EVENTS_ROUTE: Final = "/events"
UNDELIVERED_ROUTE: Final = "/undelivered"


def subscriptions_of(service: Service) -> dict[str, str]:
    """Return the subscription files of one service: file name to text."""
    own = f"{service.name}-"
    files = {
        f"subscription-{own}{topic.removeprefix(own)}.yaml": _events(service.name, topic)
        for topic in heard_by(service)
    }
    files[f"subscription-{own}undelivered.yaml"] = _undelivered(service.name)
    return files


def _events(service: str, topic: str) -> str:
    return f"""\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata:
  name: {service}-{topic.removeprefix(f"{service}-")}
spec:
  pubsubname: {PUBSUB}
  topic: {topic}
  routes:
    # A default, so that no event is without a route: in bulk such an event is posted to "/" and then forgotten.
    default: {EVENTS_ROUTE}
  bulkSubscribe:
    enabled: true
    maxMessagesCount: {BATCH}
    # At low load every hop waits all of it; one millisecond costs no throughput at high load.
    maxAwaitDurationMs: 1
  # For what the sidecar itself cannot read; without it such a message is acknowledged in silence.
  deadLetterTopic: {undelivered(service)}
scopes:
  - {service}
"""


def _undelivered(service: str) -> str:
    return f"""\
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata:
  name: {service}-undelivered
spec:
  pubsubname: {PUBSUB}
  topic: {undelivered(service)}
  metadata:
    # The bytes as they are: whoever sent them may have meant anything.
    rawPayload: "true"
  routes:
    default: {UNDELIVERED_ROUTE}
  # No dead letter topic of its own: what cannot be quarantined now is delivered again until it can.
scopes:
  - {service}
"""
