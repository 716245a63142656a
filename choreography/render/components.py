"""Completes the hand-written component files with facts from the declarations. Their comments are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import yaml

from choreography.broker_names import of_prefix, of_topic
from choreography.errors import ChoreographyError
from choreography.service import Service
from choreography.topics import (
    CHRONICLE,
    CONTROL,
    PUBSUB,
    PUBSUB_OF_TOPIC,
    STATESTORE,
    UNPREFIXED,
    TopicNaming,
    all_topics,
    published_by,
    subscribed_by,
    undelivered,
)

SUBSCRIPTION_METADATA: Final = "choreography/subscription-metadata"
"""The annotation of a broker's component that holds ``name=value,...`` for all of its subscriptions."""


STATE_RESILIENCY: Final = "state-resiliency.yaml"
"""The file in components/ that says what a sidecar does by itself when a state store fails."""


class ComponentFileError(ChoreographyError):
    """A hand-written component file has a form that cannot be completed."""


def pubsub(base: str, services: Sequence[Service], names: TopicNaming = UNPREFIXED) -> str:
    """Complete a broker's file: the publishers and consumers of each topic, and the apps that may use the broker."""
    base = of_prefix(base, names)
    if name_in(base) == PUBSUB_OF_TOPIC:
        return "---\n".join(
            _one_topic(base, topic, services, names, first=not place)
            for place, topic in enumerate(all_topics(services))
        )
    _expect(base, PUBSUB)
    everything = [names.on_broker(topic) for topic in all_topics(services)]
    metadata = (
        "    # Every app id is listed in both scopes: one that is not may do whatever no protection forbids.\n"
        + _setting("publishingScopes", _scopes(services, published_by, (CONTROL,), names))
        + "    # The chronicle may hear everything, and say nothing but a nudge or a replay.\n"
        + _setting("subscriptionScopes", _scopes(services, subscribed_by, all_topics(services), names))
        + "    # A topic that nobody declared is a spelling mistake, and its messages would wait for ever.\n"
        + _setting("allowedTopics", _wrapped(everything))
        + "    # Whoever is not in a scope is refused; without this, whoever is in none is allowed.\n"
        + _setting("protectedTopics", _wrapped(everything))
    )
    completed = base.rstrip("\n") + "\n" + metadata + _app_ids([*(service.name for service in services), CHRONICLE])
    return _checked(completed, PUBSUB, "publishingScopes")


def name_in(base: str) -> str:
    """Return the name of the one component in a file, which may be a pattern with ``{topic}``."""
    documents = [document for document in yaml.safe_load_all(base) if document]
    return str(documents[0].get("metadata", {}).get("name", "")) if len(documents) == 1 else ""


def subscription_metadata_in(component: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata for subscriptions to this broker, which only a subscription and no component can carry."""
    told = (component.get("metadata", {}).get("annotations") or {}).get(SUBSCRIPTION_METADATA, "")
    return dict(part.strip().split("=", 1) for part in str(told).split(",") if "=" in part)


def _one_topic(base: str, topic: str, services: Sequence[Service], names: TopicNaming, *, first: bool) -> str:
    """Complete a component that serves one topic; the comments on its lines appear once."""
    known = names.on_broker(topic)
    lines = of_topic(base, known).rstrip("\n").splitlines()
    text = "\n".join(line for line in lines if first or not line.lstrip().startswith("#")) + "\n"
    hears = [service.name for service in services if topic in subscribed_by(service)]
    says = [service.name for service in services if topic in published_by(service)] + [CHRONICLE] * (topic == CONTROL)
    apps = [name for name in (*(service.name for service in services), CHRONICLE) if name in (*hears, *says, CHRONICLE)]
    # The sidecar quarantines undeliverable events on the same component.
    unreadable = {name: names.on_broker(undelivered(name)) for name in hears if undelivered(name) != topic}
    grants = {
        name: ([known] if name in says else []) + ([unreadable[name]] if name in unreadable else []) for name in apps
    }
    topics = [known, *sorted(unreadable.values())]
    metadata = (
        _setting("publishingScopes", _joined({name: ",".join(granted) for name, granted in grants.items()}))
        + _setting("subscriptionScopes", _joined({name: known if name in (*hears, CHRONICLE) else "" for name in apps}))
        + _setting("allowedTopics", _wrapped(topics))
        + _setting("protectedTopics", _wrapped(topics))
    )
    return _checked(text + metadata + _app_ids(apps), PUBSUB_OF_TOPIC.format(topic=known), "publishingScopes")


def statestore(base: str, services: Sequence[Service]) -> str:
    """Complete a store's file: only the services of the flow may use it."""
    _expect(base, STATESTORE)
    return base.rstrip("\n") + "\n" + _app_ids(service.name for service in services)


def state_resiliency(base: str, services: Sequence[Service]) -> str:
    """Complete the resiliency of sidecars towards a store: it applies only to the services of the flow."""
    return base.rstrip("\n") + "\n" + _app_ids(service.name for service in services)


def resiliency(base: str, services: Sequence[Service], pubsub: str = PUBSUB, names: TopicNaming = UNPREFIXED) -> str:
    """Complete the resiliency; it leaves other apps of the same namespace alone."""
    if pubsub == PUBSUB_OF_TOPIC:
        base = _for_each_topic(base, [names.on_broker(topic) for topic in all_topics(services)])
    return base.rstrip("\n") + "\n" + _app_ids([*(service.name for service in services), CHRONICLE])


def _for_each_topic(base: str, topics: Iterable[str]) -> str:
    """Repeat the policies of the single component for the component of every topic."""
    head, target, rest = base.partition(f"      {PUBSUB}:\n")
    if not target:
        raise ComponentFileError(
            f"components/resiliency.yaml does not name {PUBSUB!r} under spec.targets.components, indented by six "
            "blanks, so no component of a topic would be tried again. Bring it back from the Choreography repository."
        )
    lines = rest.splitlines(keepends=True)
    end = next((place for place, line in enumerate(lines) if not line.startswith(" " * 8)), len(lines))
    policy, after = lines[:end], "".join(lines[end:])
    bare = [line for line in policy if not line.lstrip().startswith("#")]
    said = [
        f"      {PUBSUB_OF_TOPIC.format(topic=topic)}:\n" + "".join(bare if place else policy)
        for place, topic in enumerate(topics)
    ]
    return head + "".join(said) + after


def _scopes(
    services: Sequence[Service],
    topics_of: Callable[[Service], Iterable[str]],
    chronicle: Iterable[str],
    names: TopicNaming,
) -> list[str]:
    granted = {service.name: topics_of(service) for service in services} | {CHRONICLE: chronicle}
    return _joined({name: ",".join(map(names.on_broker, topics)) for name, topics in granted.items()})


def _joined(granted: Mapping[str, str]) -> list[str]:
    grants = [f"{name}={topics}" for name, topics in granted.items()]
    return [*(f"{grant};" for grant in grants[:-1]), grants[-1]]


def _wrapped(topics: Sequence[str]) -> list[str]:
    return [*(f"{topic}," for topic in topics[:-1]), topics[-1]]


def _setting(name: str, lines: Iterable[str]) -> str:
    # Folded style: Dapr ignores the blanks in place of the line breaks, and a person can read the lines.
    return f"    - name: {name}\n      value: >-\n" + "".join(f"        {line}\n" for line in lines)


def _app_ids(names: Iterable[str]) -> str:
    return "scopes:\n" + "".join(f"  - {name}\n" for name in names)


def _expect(base: str, name: str) -> None:
    documents = [document for document in yaml.safe_load_all(base) if document]
    if len(documents) != 1 or documents[0].get("metadata", {}).get("name") != name:
        raise ComponentFileError(
            f"A component file must hold exactly one component, named {name!r}, as the declarations know "
            "it by no other name. Split or rename it."
        )


def _checked(text: str, name: str, last: str) -> str:
    problem = ComponentFileError(
        f"The file of {name!r} does not end with the list spec.metadata, so nothing can be added to it. "
        "Move spec.metadata to its end, its items indented by four blanks."
    )
    try:
        component: Any = yaml.safe_load(text)
        names = [item["name"] for item in component["spec"]["metadata"]]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise problem from error
    if last not in names:
        raise problem
    return text
