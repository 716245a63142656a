"""NATS through our own component: the component that will use the streams and consumers makes and checks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from choreography.provision.layout import BrokerLayout
from choreography.provision.own_components import ask_component

COMPONENT: Final = "nats_pull"
"""Its folder in components/."""

_OF_APPS: Final = frozenset({"name", "consumerid", "username", "password", "token", "jwt", "seedkey"})
"""Settings by which each app is known: whoever provisions has a login of its own, in its address."""


async def provision(layout: BrokerLayout, address: str, *, partitions: int, copies: int) -> Sequence[str]:  # noqa: ARG001
    """Let the component make the missing ones, and refuse those that would lose messages."""
    return await ask("provision", layout, address, copies)


async def ask(command: str, layout: BrokerLayout, address: str, copies: int = 1) -> Sequence[str]:
    """Have the component run a command for every stream and consumer of a flow, and return its output by lines.

    Raises:
        ProvisionError: the component is missing, or its command failed.
    """
    told = {name: value for name, value in layout.settings.items() if name not in _OF_APPS} | {"natsurl": address}
    if copies > 1:
        told["streamreplicas"] = str(copies)
    return await ask_component(
        COMPONENT, command, {"settings": told, "subscriptions": layout.hearers, "topics": layout.topics}
    )
