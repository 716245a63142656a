"""RabbitMQ: a user for each service, with patterns for the names that it may declare, write to and read from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from choreography.broker_names import queue_name
from choreography.render.access.grants import Grant
from choreography.render.source import as_yaml

_HEAD: Final = """\
# Permissions as RabbitMQ's topology operator takes them; without it, `rabbitmqctl set_permissions -p VHOST USER
# CONFIGURE WRITE READ` sets the same. Users and their passwords are made elsewhere. Put both into the address of a
# service: amqp://<user>:<password>@host:port/vhost.
# A sidecar declares every exchange that it uses, also one that it only reads from, and whoever may declare an exchange
# may delete it: a stolen password can delete what its service uses, until `choreography provision` makes it again.
"""


def permissions(grants: Sequence[Grant]) -> str:
    """Return one document of YAML for each user."""
    return _HEAD + "---\n".join(as_yaml(_permission(grant)) for grant in grants)


def _permission(grant: Grant) -> dict[str, Any]:
    queues = [queue_name(grant.app, topic) for topic in grant.hears]
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "Permission",
        "metadata": {"name": grant.user},
        "spec": {
            "user": grant.user,
            "vhost": "/",
            "permissions": {
                "configure": _any_of([*grant.topics, *queues]),
                # To bind a queue is to write to it, and to read from the exchange.
                "write": _any_of([*grant.publishes, *queues]),
                "read": _any_of([*grant.hears, *queues]),
            },
            "rabbitmqClusterReference": {"name": "rabbitmq"},
        },
    }


def _any_of(names: Iterable[str]) -> str:
    return f"^({'|'.join(re.escape(name) for name in names)})$"
