"""NATS by our own component: streams and consumers, made and judged by the component that will use them."""

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
    """Let the component make what is missing, and refuse what would lose messages."""
    return await ask("provision", layout, address, copies)


async def ask(command: str, layout: BrokerLayout, address: str, copies: int = 1) -> Sequence[str]:
    """Have the component do something with every stream and consumer of a flow, and return what it said, by lines.

    Raises:
        ProvisionError: it is not there, or could not do it.
    """
    told = {name: value for name, value in layout.settings.items() if name not in _OF_APPS} | {"natsurl": address}
    if copies > 1:
        told["streamreplicas"] = str(copies)
    return await ask_component(
        COMPONENT, command, {"settings": told, "subscriptions": layout.hearers, "topics": layout.topics}
    )
