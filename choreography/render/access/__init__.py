"""A user of the broker for each service, with permissions from the declarations. No password is rendered.

Sidecars enforce scopes. A client with the password of a broker bypasses the sidecars, so the broker enforces the same
permissions.

Not here: the creation of these users: on this machine `choreography.up.access` creates them, in a cluster `helm` passes
the rendered files on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from choreography.render.access import aws, kafka, nats, rabbitmq, redis
from choreography.render.access.grants import Grant, grants_of
from choreography.render.source import Files, RenderSource, read

FOLDER: Final = "access"
"""Below the folder of a flow, and below components/: how services log in, a folder or a file for each broker."""

LOGIN: Final = "login.yaml"
"""The settings by which a sidecar logs in as its own service, where its address alone does not say it."""


@dataclass(frozen=True, slots=True)
class _Document:
    """The form in which one broker takes permissions: the name of the file, and its content."""

    file: str
    permissions: Callable[[Sequence[Grant]], str]


_DOCUMENTS: Final[Mapping[str, _Document]] = {
    "redis": _Document("users.conf", redis.permissions),
    "kafka": _Document("users.yaml", kafka.permissions),
    "rabbitmq": _Document("permissions.yaml", rabbitmq.permissions),
    "nats": _Document("users.conf", nats.permissions),
    "nats-pull": _Document("users.conf", nats.permissions_to_pull),
    "aws": _Document("policies.yaml", aws.permissions_on_sns),
    "eventbridge": _Document("policies.yaml", aws.permissions_on_eventbridge),
}


def access_files(source: RenderSource) -> Files:
    """Render the permissions of each service's user on each broker, and the settings by which sidecars log in."""
    grants = grants_of(source.services, source.names)
    texts: Files = {}
    for broker in (file.stem for file in source.brokers if file.stem in _DOCUMENTS):
        document = _DOCUMENTS[broker]
        texts[f"{FOLDER}/{broker}/{document.file}"] = document.permissions(grants)
        if settings := login_settings(source, broker):
            texts[f"{FOLDER}/{broker}/{LOGIN}"] = settings
    return texts


def login_settings(source: RenderSource, broker: str) -> str:
    """Return the text of the settings by which sidecars log in to a broker; it is empty if they need none."""
    file = source.root / "components" / FOLDER / f"{broker}.yaml"
    return read(file) if file.exists() else ""


def permissions_file(broker: str) -> str:
    """Return the name of the file with a broker's permissions; it is empty if this broker has no such file."""
    return document.file if (document := _DOCUMENTS.get(broker)) else ""
