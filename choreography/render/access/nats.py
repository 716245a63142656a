"""NATS: a user for each service, which may publish to its subjects and read from consumers that exist already."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from choreography.broker_names import consumer_name, deliver_subject, inbox, pull_consumer_name, stream_name
from choreography.render.access.grants import Grant

OPERATOR: Final = "_operator"
"""Whose user provisions and drains: it may manage streams and consumers. No service can have this name."""

_HEAD: Final = """\
# Include this where users belong: `authorization {{ include users.conf }}`, or in the account of the flow. Passwords
# come from the environment of the server, and may be bcrypt hashes; quote those that could be read as numbers. Put the
# user and the password of a service into its address: nats://{user}:<password>@host:port.
# Streams and consumers are made beforehand, by {operator} (`choreography provision`). No service may make a consumer:
# what a consumer delivers, the server publishes to a subject of the consumer's choice, whoever may publish there.
# All may subscribe to _INBOX.>, where answers to requests arrive. There deliver also those consumers that a sidecar
# made before `choreography provision` did: delete them once, when they are drained.
users = [
"""


_HEAD_TO_PULL: Final = """\
# Include this where users belong: `authorization {{ include users.conf }}`, or in the account of the flow. Passwords
# come from the environment of the server, and may be bcrypt hashes; quote those that could be read as numbers. Put the
# user and the password of a service into its address: nats://{user}:<password>@host:port.
# Streams and consumers are made beforehand, by {operator} (`choreography provision`). No service may make any.
# Each has an inbox of its own, where what it pulled arrives, and may listen to no other.
# Whoever may pull says where the answer goes. A stolen password can so have events that its service hears published to
# another topic; a service takes an event only on its contract's topic, so it quarantines them or ignores them.
users = [
"""


def permissions(grants: Sequence[Grant]) -> str:
    """Return the list of users of a configuration file, for the component of Dapr."""
    return _list(_HEAD, grants, _publishes, _subscribes)


def permissions_to_pull(grants: Sequence[Grant]) -> str:
    """Return the list of users of a configuration file, for our own component."""
    return _list(_HEAD_TO_PULL, grants, _publishes_to_pull, lambda grant: [f"{inbox(grant.app)}.>"])


_Subjects = Callable[[Grant], Iterable[str]]


def _list(head: str, grants: Sequence[Grant], publishes: _Subjects, subscribes: _Subjects) -> str:
    operator = grants[0].user.removesuffix(grants[0].app) + OPERATOR
    topics = sorted({topic for grant in grants for topic in grant.topics})
    users = [
        *(_user(grant.user, publishes(grant), subscribes(grant)) for grant in grants),
        _user(operator, ["$JS.API.>", "$JS.ACK.>", *topics], ["_INBOX.>", "deliver.>"]),
    ]
    return head.format(user=grants[0].user, operator=operator) + "".join(users) + "]\n"


def password_variable(user: str) -> str:
    """Return the environment variable of the server that holds the password of a user."""
    return re.sub(r"[^A-Z0-9]", "_", user.upper()) + "_PASSWORD"


def _publishes(grant: Grant) -> list[str]:
    consumers = [(stream_name(topic), consumer_name(grant.app, topic)) for topic in grant.hears]
    return [
        *grant.publishes,
        *(f"$JS.API.CONSUMER.INFO.{stream}.{consumer}" for stream, consumer in consumers),
        *(f"$JS.ACK.{stream}.{consumer}.>" for stream, consumer in consumers),
    ]


def _publishes_to_pull(grant: Grant) -> list[str]:
    consumers = [(stream_name(topic), pull_consumer_name(grant.app, topic)) for topic in grant.hears]
    return [
        *grant.publishes,
        *(f"$JS.API.STREAM.INFO.{stream_name(topic)}" for topic in grant.topics),
        *(f"$JS.API.CONSUMER.INFO.{stream}.{consumer}" for stream, consumer in consumers),
        *(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}" for stream, consumer in consumers),
        *(f"$JS.ACK.{stream}.{consumer}.>" for stream, consumer in consumers),
    ]


def _subscribes(grant: Grant) -> list[str]:
    return ["_INBOX.>", *(deliver_subject(grant.app, topic) for topic in grant.hears)]


def _user(name: str, publishes: Iterable[str], subscribes: Iterable[str]) -> str:
    return (
        f'  {{\n    user: "{name}"\n    password: ${password_variable(name)}\n    permissions {{\n'
        f"{_allowed('publish', publishes)}{_allowed('subscribe', subscribes)}    }}\n  }}\n"
    )


def _allowed(what: str, subjects: Iterable[str]) -> str:
    return f"      {what} {{ allow: [\n" + "".join(f'        "{subject}"\n' for subject in subjects) + "      ] }\n"
