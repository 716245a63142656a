"""Faults of a folder's Subscriptions that lose messages: events without a route, twins, and forbidden dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from choreography.render.known_components import type_of
from choreography.render.resources import Resource
from choreography.render.rule_shape import whole

_BESIDE_READERS: Final = 4
"""Connections of Redis' component for what is published and acknowledged."""

_SHOWN: Final = 8
_CHANNEL: Final = (
    "Within one component subscriptions share a channel, and after a crash of the broker they read each other's "
    "answers and messages stay behind: orders were seen to be lost."
)
_SUBJECT: Final = "One durable consumer reads one subject, so the subscription to a second topic fails for ever."
_ONE_TOPIC: Final = {"pubsub.rabbitmq": (_CHANNEL, "rabbitmq.yaml"), "pubsub.jetstream": (_SUBJECT, "nats.yaml")}
"""Components that serve one topic only, why, and which file shows how it is done."""


def judge_subscriptions(resources: Sequence[Resource]) -> Iterator[str]:
    """Yield a sentence for each subscription that would lose messages, and for each broker with too few connections."""
    subscriptions = [resource for resource in resources if resource.kind == "Subscription"]
    brokers = {
        resource.name: resource
        for resource in resources
        if resource.kind == "Component" and resource.type.startswith("pubsub.")
    }
    for subscription in subscriptions:
        yield from _route(subscription)
        yield from _dead_letters(subscription, brokers)
        yield from _reached(subscription, brokers)
    yield from _twins(subscriptions)
    for broker in brokers.values():
        heard = [one for one in subscriptions if one.spec.get("pubsubname") == broker.name]
        yield from _shared(broker, heard)
        if type_of(broker) == "pubsub.redis":
            yield from _workers(broker, heard)
            yield from _connections(broker, heard)


def _route(subscription: Resource) -> Iterator[str]:
    routes = subscription.spec.get("routes") or {}
    if not routes.get("default") and not subscription.spec.get("route"):
        yield (
            f"{subscription.file}: the subscription to {subscription.spec.get('topic')!r} has no default route, so an "
            'event that no rule matches is posted to "/" and forgotten. Write `routes: {default: /events}`.'
        )


def _dead_letters(subscription: Resource, brokers: dict[str, Resource]) -> Iterator[str]:
    spec = subscription.spec
    letters, topic, pubsub = spec.get("deadLetterTopic"), spec.get("topic"), str(spec.get("pubsubname"))
    raw = str((spec.get("metadata") or {}).get("rawPayload", "")).lower() == "true"
    if (spec.get("bulkSubscribe") or {}).get("enabled") and not letters and not raw:
        yield (
            f"{subscription.file}: the bulk subscription to {topic!r} has no deadLetterTopic, so a message "
            "the sidecar cannot read is acknowledged in silence. Write `deadLetterTopic: "
            "<service>-undelivered`."
        )
    if letters and letters == topic:
        yield (
            f"{subscription.file}: {topic!r} is its own dead letter topic, so what "
            "the sidecar cannot read comes back to it for ever. Write `deadLetterTopic: <service>-undelivered`."
        )
    broker = brokers.get(pubsub)
    for app in subscription.scopes:
        if letters and broker and not _may(broker, app, str(letters), "publishingScopes"):
            yield (
                f"{subscription.file}: {app} may not publish to its dead letter topic {letters!r}, so what "
                f"its sidecar cannot read is lost. Add it to publishingScopes in {broker.file}."
            )


def _shared(broker: Resource, heard: Sequence[Resource]) -> Iterator[str]:
    """Yield a sentence if a component serves several topics of one app and can serve only one of them well."""
    topics: dict[str, set[str]] = {}
    for subscription in heard:
        for app in subscription.scopes or ("",):
            topics.setdefault(app, set()).add(str(subscription.spec.get("topic")))
    app, most = max(topics.items(), key=lambda pair: len(pair[1]), default=("", set()))
    if type_of(broker) in _ONE_TOPIC and len(most) > 1:
        yield f"{broker.file}: {broker.name!r} serves {len(most)} topics of {app or 'an app'}. {_apart(broker)}"


def _apart(broker: Resource) -> str:
    why, file = _ONE_TOPIC[type_of(broker)]
    return f"{why} Give each topic a component of its own, `name: pubsub-{{topic}}`, as components/brokers/{file} does."


def _reached(subscription: Resource, brokers: dict[str, Resource]) -> Iterator[str]:
    """Yield a sentence for each reason why a sidecar would never make a subscription."""
    topic, pubsub = str(subscription.spec.get("topic")), str(subscription.spec.get("pubsubname"))
    broker = brokers.get(pubsub)
    if broker is None:
        near = get_close_matches(pubsub, brokers, 1)
        if brokers:
            hint = f" Did you mean {near[0]}?" if near else ""
            known = ", ".join(sorted(brokers)[:_SHOWN]) + (", ..." if len(brokers) > _SHOWN else "")
            yield (
                f"{subscription.file}: the subscription to {topic!r} names the component {pubsub!r}, which is "
                f"not there, so nothing is ever delivered.{hint} Components are {known}."
            )
        return
    for app in subscription.scopes:
        if broker.scopes and app not in broker.scopes:
            yield (
                f"{subscription.file}: {app} subscribes to {topic!r} on {pubsub!r}, and is not in the scopes of that "
                f"component, so nothing is ever delivered to it. Add it to the scopes in {broker.file}."
            )
        elif not _may(broker, app, topic, "subscriptionScopes"):
            yield (
                f"{subscription.file}: {app} may not subscribe to {topic!r}, so nothing of it is ever delivered. Add "
                f"it to subscriptionScopes (and to allowedTopics, if there are any) in {broker.file}."
            )


def _may(broker: Resource, app: str, topic: str, scopes: str) -> bool:
    allowed, protected = (_topics(broker.text(name)) for name in ("allowedTopics", "protectedTopics"))
    if allowed and topic not in allowed:
        return False
    for grant in broker.text(scopes).replace(" ", "").split(";"):
        name, _, topics = grant.partition("=")
        if name == app:
            return topic in _topics(topics)
    # An app that no scope names may use every topic that is not protected.
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
    """Yield a sentence if the readers of an app's topics, with a connection each, leave too few for other work."""
    topics = Counter(app for one in subscriptions for app in one.scopes or ("",))
    app, count = max(topics.items(), key=lambda pair: pair[1], default=("", 0))
    has = whole(broker.text("poolSize", "10"), 10)
    if has < count + _BESIDE_READERS:
        yield (
            f"{broker.file}: poolSize is {has} and {app or 'an app'} subscribes to {count} topics, each of which keeps "
            "a connection, so publishing waits for one, or for ever. Write at least "
            f'"{count + _BESIDE_READERS}".'
        )
