"""What a folder's Subscriptions lose: events without a route, twins, and dead letters nobody may write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from choreography.render.resiliency_rules import keeps_trying
from choreography.render.resources import Resource
from choreography.render.setting_rule import whole

_BESIDE_READERS: Final = 4
"""Connections of Redis' component for what is published and acknowledged."""


def judge_subscriptions(resources: Sequence[Resource]) -> Iterator[str]:
    """Yield a sentence for each subscription that would lose messages, and for brokers that are too narrow for them."""
    subscriptions = [resource for resource in resources if resource.kind == "Subscription"]
    brokers = {
        resource.name: resource
        for resource in resources
        if resource.kind == "Component" and resource.type.startswith("pubsub.")
    }
    for subscription in subscriptions:
        yield from _route(subscription)
        yield from _dead_letters(subscription, brokers, resources)
    yield from _twins(subscriptions)
    for broker in brokers.values():
        if broker.type == "pubsub.redis":
            heard = [one for one in subscriptions if one.spec.get("pubsubname") == broker.name]
            yield from _workers(broker, heard)
            yield from _connections(broker, heard)


def _route(subscription: Resource) -> Iterator[str]:
    routes = subscription.spec.get("routes") or {}
    if not routes.get("default") and not subscription.spec.get("route"):
        yield (
            f"{subscription.file}: the subscription to {subscription.spec.get('topic')!r} has no default route, so an "
            'event that no rule matches is posted to "/" and forgotten. Write `routes: {default: /events}`.'
        )


def _dead_letters(subscription: Resource, brokers: dict[str, Resource], resources: Sequence[Resource]) -> Iterator[str]:
    spec = subscription.spec
    letters, topic, pubsub = spec.get("deadLetterTopic"), spec.get("topic"), str(spec.get("pubsubname"))
    apps = subscription.scopes or ("",)
    if letters and pubsub in brokers and not all(keeps_trying(pubsub, app, resources) for app in apps):
        yield (
            f"{subscription.file}: the subscription to {topic!r} has a dead letter topic but {pubsub!r} "
            "has no inbound retry, so every message that fails once ends there. Take "
            "components/resiliency.yaml."
        )
    raw = str((spec.get("metadata") or {}).get("rawPayload", "")).lower() == "true"
    if (spec.get("bulkSubscribe") or {}).get("enabled") and not letters and not raw:
        yield (
            f"{subscription.file}: the bulk subscription to {topic!r} has no deadLetterTopic, so a message "
            "the sidecar cannot read is acknowledged in silence. Write `deadLetterTopic: "
            "<service>-undelivered`."
        )
    broker = brokers.get(pubsub)
    for app in subscription.scopes:
        if letters and broker and not _may_publish(broker, app, str(letters)):
            yield (
                f"{subscription.file}: {app} may not publish to its dead letter topic {letters!r}, so what "
                f"its sidecar cannot read is lost. Add it to publishingScopes in {broker.file}."
            )


def _may_publish(broker: Resource, app: str, topic: str) -> bool:
    allowed, protected = (_topics(broker.text(name)) for name in ("allowedTopics", "protectedTopics"))
    if allowed and topic not in allowed:
        return False
    for grant in broker.text("publishingScopes").replace(" ", "").split(";"):
        name, _, topics = grant.partition("=")
        if name == app:
            return topic in _topics(topics)
    # An app that no scope names may do whatever is not protected.
    return topic not in protected


def _topics(text: str) -> set[str]:
    return set(text.replace(" ", "").split(",")) - {""}


def _twins(subscriptions: Sequence[Resource]) -> Iterator[str]:
    seen: dict[tuple[str, str, str], Resource] = {}
    for subscription in subscriptions:
        for app in subscription.scopes or ("",):
            key = (app, str(subscription.spec.get("pubsubname")), str(subscription.spec.get("topic")))
            first = seen.setdefault(key, subscription)
            if first is not subscription:
                yield (
                    f"{subscription.file}: {app or 'every app'} already has a subscription to {key[2]!r} "
                    f"in {first.file}, so this one is ignored in silence. Merge the two."
                )


def _workers(broker: Resource, subscriptions: Sequence[Resource]) -> Iterator[str]:
    needed = {app: 0 for one in subscriptions for app in one.scopes or ("",)}
    for subscription in subscriptions:
        bulk = subscription.spec.get("bulkSubscribe") or {}
        batch = int(bulk.get("maxMessagesCount", 100)) if bulk.get("enabled") else 1
        for app in subscription.scopes or ("",):
            needed[app] += batch
    least = max([100, *needed.values()])
    has = whole(broker.text("concurrency", "10"), 10)
    if has < least and (not broker.has("concurrency") or broker.text("concurrency")):
        is_set = "is" if broker.has("concurrency") else "is not set, which means"
        yield (
            f"{broker.file}: concurrency {is_set} {has}. A message holds its worker until its batch is "
            "answered, so batches never fill and bulk becomes slower than single delivery. Write at least "
            f'"{least}".'
        )


def _connections(broker: Resource, subscriptions: Sequence[Resource]) -> Iterator[str]:
    """Yield a sentence if the readers of an app's topics, which keep a connection each, leave too few for the rest."""
    topics = Counter(app for one in subscriptions for app in one.scopes or ("",))
    app, count = max(topics.items(), key=lambda pair: pair[1], default=("", 0))
    has = whole(broker.text("poolSize", "10"), 10)
    if has < count + _BESIDE_READERS:
        yield (
            f"{broker.file}: poolSize is {has} and {app or 'an app'} subscribes to {count} topics, each of which keeps "
            "a connection, so publishing waits for one, or for ever. Write at least "
            f'"{count + _BESIDE_READERS}".'
        )
