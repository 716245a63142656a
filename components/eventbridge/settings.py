"""The settings of the component, as listed under ``spec.metadata`` of its file.

``metadata.yaml`` beside this module lists them in the form of Dapr's own components.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from botocore.exceptions import UnknownRegionError
from botocore.session import get_session

from components.pluggable.errors import SettingsError
from components.pluggable.settings import Known, read_values, text, whole, yes_or_no

_ROLES_ANYWHERE: Final = {
    name: f"{name} is set, but this component does not speak IAM Roles Anywhere. Remove it, and let the pod or its "
    "environment have credentials, or set assumeRoleArn."
    for name in ("trustAnchorArn", "trustProfileArn")
}
"""Fields of Dapr's shared AWS authentication that this component cannot obey."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in the component file of one sidecar.

    Attributes:
        consumer: the name of the consumer; the sidecar gives its app id if the file has none.
        region: of AWS.
        endpoint: the URL of an emulator of AWS; None is AWS itself.
        access_key, secret_key, session_token: credentials; None asks the default chain of AWS.
        role: the ARN of a role to assume with these credentials; None is none.
        role_session: the name of the sessions of that role.
        bus: the event bus.
        source: the source of Dapr's events, by which rules distinguish them from other events on the bus.
        visibility_timeout: seconds after which a message counts as abandoned by a component that died.
        wait_seconds: how long one read of an empty queue waits.
        max_receives: the number of reads after which a message goes to the dead letter queue; 0 is never.
        dead_letter_queue: the name of that queue.
        max_in_flight: the most unacknowledged messages of one subscription.
        provision: whether bus, rules and queues are made and kept up to date with this file.
        provision_subscribers: whether a publisher makes the rules and queues of the apps that may consume its topics.
        scopes: for each app that `subscriptionScopes` names, the topics that it may consume.
    """

    consumer: str
    region: str
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    role: str | None = None
    role_session: str = "DaprDefaultSession"
    bus: str = "default"
    source: str = "dapr"
    visibility_timeout: int = 30
    wait_seconds: int = 20
    max_receives: int = 10
    dead_letter_queue: str = ""
    max_in_flight: int = 20
    provision: bool = True
    provision_subscribers: bool = False
    scopes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The address of AWS, for messages."""
        return self.endpoint or f"AWS in {self.region}"

    def of(self, consumer: str) -> Settings:
        """Return the settings of another app that uses the same file."""
        own = default_dead_letter_queue(self.consumer)
        shared = self.dead_letter_queue != own
        dead = self.dead_letter_queue if shared else default_dead_letter_queue(consumer)
        return replace(self, consumer=consumer, dead_letter_queue=dead)


def _url(name: str, said: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", said):
        raise SettingsError(f"{name} is {said!r}, but must begin with http:// or https:// and name a host.")
    return said


def _region(name: str, text: str) -> str:
    try:
        get_session().get_partition_for_region(text)
    except UnknownRegionError as error:
        known = ", ".join(get_session().get_available_regions("events"))
        raise SettingsError(
            f"{name} is {text!r}, and no region of AWS has a name like this, so neither bus nor queues can be found. "
            f"Write one of: {known}, or one that AWS has opened since."
        ) from error
    return text


def _role(name: str, text: str) -> str:
    if not re.fullmatch(r"arn:[^:\s]+:iam::\d{12}:role/\S+", text):
        raise SettingsError(f"{name} is {text!r}, but must be the ARN of a role: arn:aws:iam::123456789012:role/name.")
    return text


_KNOWN: Final[Known] = {
    "consumerID": ("consumer", text),
    "region": ("region", _region),
    "awsRegion": ("region", _region),
    "endpoint": ("endpoint", _url),
    "accessKey": ("access_key", text),
    "secretKey": ("secret_key", text),
    "sessionToken": ("session_token", text),
    "assumeRoleArn": ("role", _role),
    "assumeRoleSessionName": ("role_session", text),
    "busName": ("bus", text),
    "source": ("source", text),
    "visibilityTimeout": ("visibility_timeout", whole(5, 43200)),
    "waitSeconds": ("wait_seconds", whole(1, 20)),
    "maxReceives": ("max_receives", whole(0, 1000)),
    "deadLetterQueue": ("dead_letter_queue", text),
    "maxInFlight": ("max_in_flight", whole(1, 1000)),
    "provision": ("provision", yes_or_no),
    "provisionSubscribers": ("provision_subscribers", yes_or_no),
}

KNOWN: Final = frozenset(_KNOWN)
"""The names of all settings."""


def read_settings(properties: Mapping[str, str]) -> Settings:
    """Read the settings from the sidecar; names may be in any case, and an empty value counts as none.

    Raises:
        SettingsError: a setting is unknown, impossible, or missing.
    """
    return _completed(read_values(properties, _KNOWN, _ROLES_ANYWHERE))


def _completed(values: dict[str, object]) -> Settings:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if "region" not in values and (text := os.environ.get(variable, "").strip()):
            values["region"] = _region(variable, text)
    if "region" not in values:
        raise SettingsError('No region is set. Write "region", or set AWS_REGION where the component runs.')
    if not values.get("consumer"):
        raise SettingsError("consumerID is empty, so no queue has a name. Remove it, and it is the app id.")
    if ("access_key" in values) != ("secret_key" in values):
        raise SettingsError("accessKey and secretKey belong together. Set both, or neither to use the default chain.")
    if "session_token" in values and "access_key" not in values:
        raise SettingsError("sessionToken belongs to accessKey and secretKey. Set all three, or none of them.")
    values.setdefault("dead_letter_queue", default_dead_letter_queue(str(values["consumer"])))
    return Settings(**values)  # type: ignore[arg-type] # each was read as the type of its field


def default_dead_letter_queue(consumer: str) -> str:
    """Return the dead letter queue of a consumer if its file names none."""
    return f"{consumer}-dead-letters"
