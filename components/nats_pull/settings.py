"""The settings of the component, as listed under ``spec.metadata`` of its file.

``metadata.yaml`` beside this module lists them in the form of Dapr's own components. A setting that Dapr's own
component for JetStream has as well has the same name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from components.nats_pull.nkeys import SeedError, read_seed
from components.pluggable.errors import SettingsError
from components.pluggable.settings import Known, Reader, read_values, text, whole, yes_or_no

_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SERVER: Final = re.compile(r"(nats|tls)://[^\s,]+")
_PUSHES: Final = "It is a setting of pubsub.jetstream, to whose consumers the server pushes. Remove it here: {}"
_REFUSED: Final = {
    "durableName": "durableName is set. " + _PUSHES.format("the consumer is named after consumerID and topic."),
    "queueGroupName": "queueGroupName is set. " + _PUSHES.format("replicas share a consumer that they pull from."),
    "streamName": "streamName is set. " + _PUSHES.format("each topic has the stream of its own name."),
    "concurrency": "concurrency is set. " + _PUSHES.format("maxInFlight says how many messages are held."),
    "concurrencyMode": "concurrencyMode is set. " + _PUSHES.format("maxInFlight says how many messages are held."),
    "deliverPolicy": "deliverPolicy is set. " + _PUSHES.format("a consumer begins with what was not yet heard."),
    "ackPolicy": "ackPolicy is set. " + _PUSHES.format("every message is acknowledged, after it was handled."),
    "memoryStorage": "memoryStorage is set. " + _PUSHES.format("a consumer in memory forgets at every restart."),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in the component file of one sidecar.

    Attributes:
        consumer: the name of the consumer; the sidecar gives its app id if the file has none.
        servers: the addresses of NATS.
        name: the name of connections on the server's monitoring page; empty means the consumer.
        username, password: a login; a URL may contain it instead.
        token: another kind of login.
        jwt, seed: another login: a user's JWT and the seed that signs for it, or only the seed of an nkey.
        ca_certificate, certificate, key: PEM texts for TLS.
        domain: the JetStream domain; empty means the server's domain.
        ack_wait: seconds after which a message counts as abandoned by a component that died.
        max_in_flight: the most unacknowledged messages of one subscription.
        max_deliver: the number of deliveries after which a failing message goes to the dead letter topic; 0 is never.
        dead_letter_topic: that topic.
        publish_seconds: the time that one publish waits for its acknowledgement.
        provision: whether missing streams and consumers are made.
        stream_replicas: the number of servers that keep a stream which is made here.
        scopes: for each app that `subscriptionScopes` names, the topics that it may consume.
    """

    consumer: str
    servers: tuple[str, ...]
    name: str = ""
    username: str = ""
    password: str = ""
    token: str = ""
    jwt: str = ""
    seed: str = ""
    ca_certificate: str = ""
    certificate: str = ""
    key: str = ""
    domain: str = ""
    ack_wait: int = 30
    max_in_flight: int = 200
    max_deliver: int = 0
    dead_letter_topic: str = ""
    publish_seconds: int = 5
    provision: bool = True
    stream_replicas: int = 1
    scopes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The address of NATS, for messages, without anything that may be a password."""
        return ", ".join(re.sub(r"//.*@", "//", server) for server in self.servers)


def _seconds(least: int, most: int) -> Reader:
    def read(name: str, said: str) -> int:
        found = _DURATION.fullmatch(said)
        seconds = (
            sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
        )
        if said.isdecimal():
            seconds = int(said)
        if not least <= seconds <= most:
            raise SettingsError(f"{name} is {said!r}, but must be a duration from {least}s to {most}s, such as 30s.")
        return seconds

    return read


def _servers(name: str, said: str) -> tuple[str, ...]:
    servers = tuple(one.strip() for one in said.split(",") if one.strip())
    if not servers or not all(_SERVER.fullmatch(one) for one in servers):
        raise SettingsError(
            f"{name} must hold addresses such as nats://host:4222 or tls://host:4222, with commas between them."
        )
    return servers


def _seed(name: str, said: str) -> str:
    try:
        read_seed(said)
    except SeedError as error:
        raise SettingsError(
            f"{name} is no seed of an nkey: {error} It begins with SU and has 58 characters."
        ) from error
    return said


def _pem(name: str, said: str) -> str:
    if not said.startswith("-----BEGIN "):
        raise SettingsError(f"{name} must hold the text of a PEM file, which begins with -----BEGIN.")
    return said


def _subject(name: str, said: str) -> str:
    if not re.fullmatch(r"[^\s.*>]+(\.[^\s.*>]+)*", said):
        raise SettingsError(f"{name} is {said!r}, but must be a subject of NATS without wildcards.")
    return said


_KNOWN: Final[Known] = {
    "consumerID": ("consumer", _subject),
    "natsURL": ("servers", _servers),
    "name": ("name", text),
    "username": ("username", text),
    "password": ("password", text),
    "token": ("token", text),
    "jwt": ("jwt", text),
    "seedKey": ("seed", _seed),
    "tls_ca_cert": ("ca_certificate", _pem),
    "tls_client_cert": ("certificate", _pem),
    "tls_client_key": ("key", _pem),
    "domain": ("domain", _subject),
    "ackWait": ("ack_wait", _seconds(5, 3600)),
    "maxInFlight": ("max_in_flight", whole(1, 10_000)),
    "maxDeliver": ("max_deliver", whole(0, 1_000_000)),
    "deadLetterTopic": ("dead_letter_topic", _subject),
    "publishTimeout": ("publish_seconds", _seconds(1, 60)),
    "provision": ("provision", yes_or_no),
    "streamReplicas": ("stream_replicas", whole(1, 5)),
}

KNOWN: Final = frozenset(_KNOWN)
"""The names of all settings."""


def read_settings(properties: Mapping[str, str]) -> Settings:
    """Read the settings from the sidecar; names may be in any case, and an empty value counts as none.

    Raises:
        SettingsError: a setting is unknown, impossible, or missing.
    """
    values = read_values(properties, _KNOWN, _REFUSED)
    if "servers" not in values:
        raise SettingsError("natsURL is not set, so nobody knows where NATS is. Write it, such as nats://host:4222.")
    if not values.get("consumer"):
        raise SettingsError("consumerID is empty, so no consumer has a name. Remove it, and it is the app id.")
    _belong("username", "password", values, "username", "password")
    _belong("tls_client_cert", "tls_client_key", values, "certificate", "key")
    if "jwt" in values and "seed" not in values:
        raise SettingsError("jwt is set without seedKey, which signs for it. Set both.")
    logins = [name for name in ("username", "token", "seed") if name in values]
    if len(logins) > 1:
        written = {attribute: name for name, (attribute, _) in _KNOWN.items()}
        named = " and ".join(written[name] for name in logins)
        raise SettingsError(f"{named} are each a login of their own, and only one can be used. Keep one of them.")
    values.setdefault("dead_letter_topic", f"{values['consumer']}-dead-letters")
    return Settings(**values)  # type: ignore[arg-type] # each was read as the type of its field


def _belong(one: str, other: str, values: Mapping[str, object], first: str, second: str) -> None:
    if (first in values) != (second in values):
        raise SettingsError(f"{one} and {other} belong together. Set both, or neither.")
