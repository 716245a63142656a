"""The settings of the component, as they stand under ``spec.metadata`` of its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from .errors import SettingsError

_NOBODYS: Final = ("publishingScopes", "subscriptionScopes", "allowedTopics", "protectedTopics")
"""Settings that the sidecar itself obeys, and hands on."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one sidecar's component file says.

    Attributes:
        consumer: who subscribes; the sidecar says its app id where the file names nobody.
        region: of AWS.
        endpoint: the URL of something that speaks as AWS does; None is AWS itself.
        access_key, secret_key, session_token: credentials; None asks the default chain of AWS.
        bus: the event bus.
        source: what events of Dapr say as their source, by which rules tell them from others on the bus.
        visibility_timeout: seconds after which a message counts as abandoned by a component that died.
        wait_seconds: how long one read of an empty queue waits.
        max_receives: after how many reads a message goes to the dead letter queue; 0 is never.
        dead_letter_queue: the name of that queue.
        max_in_flight: how many messages one subscription holds that are not acknowledged yet.
        provision: whether bus, rules and queues are made and kept as this file says.
    """

    consumer: str
    region: str
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    bus: str = "default"
    source: str = "dapr"
    visibility_timeout: int = 30
    wait_seconds: int = 20
    max_receives: int = 10
    dead_letter_queue: str = ""
    max_in_flight: int = 20
    provision: bool = True


def _whole(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise SettingsError(f"{name} is {text!r}, but must be a whole number from {least} to {most}.")
        return int(text)

    return read


def _yes_or_no(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise SettingsError(f'{name} is {text!r}, but must be "true" or "false".')
    return text.lower() == "true"


def _text(_: str, text: str) -> str:
    return text


def _url(name: str, text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise SettingsError(f"{name} is {text!r}, but must begin with http:// or https://.")
    return text


_KNOWN: Final[Mapping[str, tuple[str, Callable[[str, str], object]]]] = {
    "consumerID": ("consumer", _text),
    "region": ("region", _text),
    "endpoint": ("endpoint", _url),
    "accessKey": ("access_key", _text),
    "secretKey": ("secret_key", _text),
    "sessionToken": ("session_token", _text),
    "busName": ("bus", _text),
    "source": ("source", _text),
    "visibilityTimeout": ("visibility_timeout", _whole(5, 43200)),
    "waitSeconds": ("wait_seconds", _whole(1, 20)),
    "maxReceives": ("max_receives", _whole(0, 1000)),
    "deadLetterQueue": ("dead_letter_queue", _text),
    "maxInFlight": ("max_in_flight", _whole(1, 1000)),
    "provision": ("provision", _yes_or_no),
}


def read_settings(properties: Mapping[str, str]) -> Settings:
    """Read what the sidecar hands over; names may be written in any case, and an empty value is none.

    Raises:
        SettingsError: a setting is unknown, impossible, or missing.
    """
    names = {name.casefold(): name for name in _KNOWN}
    handed_on = {name.casefold() for name in _NOBODYS}
    values: dict[str, object] = {}
    for written, text in properties.items():
        if written.casefold() in handed_on:
            continue
        if written.casefold() not in names:
            raise SettingsError(
                f"{written!r} is no setting of this component, so it would have no effect. Known are: "
                f"{', '.join(sorted(_KNOWN))}."
            )
        name = names[written.casefold()]
        field, read = _KNOWN[name]
        if text.strip():
            values[field] = read(name, text.strip())
    values.setdefault("region", os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "")
    if not values["region"]:
        raise SettingsError('No region is set. Write "region", or set AWS_REGION where the component runs.')
    if not values.get("consumer"):
        raise SettingsError("consumerID is empty, so no queue has a name. Remove it, and it is the app id.")
    if ("access_key" in values) != ("secret_key" in values):
        raise SettingsError("accessKey and secretKey belong together. Set both, or neither to use the default chain.")
    values.setdefault("dead_letter_queue", f"{values['consumer']}-dead-letters")
    return Settings(**values)  # type: ignore[arg-type] # each was read as the type of its field
