"""Completes the hand-written component files with what follows from the declarations. Their comments are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml

from choreography.errors import ChoreographyError
from choreography.service import Service
from choreography.topics import CHRONICLE, CONTROL, PUBSUB, STATESTORE, all_topics, published_by, subscribed_by


class ComponentFileError(ChoreographyError):
    """A hand-written component file has a shape that cannot be completed."""


def pubsub(base: str, services: Sequence[Service]) -> str:
    """Complete a broker's file: who may publish what, who may hear what, and who may use it at all."""
    _expect(base, PUBSUB)
    everything = all_topics(services)
    metadata = (
        "    # Every app id is listed in both scopes: one that is not may do whatever no protection forbids.\n"
        + _setting("publishingScopes", _scopes(services, published_by, (CONTROL,)))
        + "    # The chronicle may hear everything, and say nothing but a nudge or a replay.\n"
        + _setting("subscriptionScopes", _scopes(services, subscribed_by, everything))
        + "    # A topic that nobody declared is a spelling mistake, and its messages would wait for ever.\n"
        + _setting("allowedTopics", _wrapped(everything))
        + "    # Whoever is not in a scope is refused; without this, whoever is in none is allowed.\n"
        + _setting("protectedTopics", _wrapped(everything))
    )
    completed = base.rstrip("\n") + "\n" + metadata + _app_ids([*(service.name for service in services), CHRONICLE])
    return _checked(completed, PUBSUB, "publishingScopes")


def statestore(base: str, services: Sequence[Service]) -> str:
    """Complete a store's file: only the services of the flow may use it."""
    _expect(base, STATESTORE)
    return base.rstrip("\n") + "\n" + _app_ids(service.name for service in services)


def resiliency(base: str, services: Sequence[Service]) -> str:
    """Complete the resiliency: other apps of the same namespace keep their own."""
    return base.rstrip("\n") + "\n" + _app_ids([*(service.name for service in services), CHRONICLE])


def _scopes(
    services: Sequence[Service], topics_of: Callable[[Service], Iterable[str]], chronicle: Iterable[str]
) -> list[str]:
    granted = [f"{service.name}={','.join(topics_of(service))}" for service in services]
    granted.append(f"{CHRONICLE}={','.join(chronicle)}")
    return [*(f"{grant};" for grant in granted[:-1]), granted[-1]]


def _wrapped(topics: Sequence[str]) -> list[str]:
    return [*(f"{topic}," for topic in topics[:-1]), topics[-1]]


def _setting(name: str, lines: Iterable[str]) -> str:
    # Folded: Dapr ignores the blanks that take the place of the line breaks, and a person can read it.
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
