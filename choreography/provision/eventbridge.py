"""EventBridge: a rule and a queue for every consumer of a topic, made by the component that will use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from choreography.provision.aws_account import account_at
from choreography.provision.layout import BrokerLayout
from choreography.provision.own_components import ask_component

COMPONENT: Final = "eventbridge"
"""Its folder in components/."""


async def provision(layout: BrokerLayout, address: str, *, partitions: int, copies: int) -> Sequence[str]:  # noqa: ARG001
    """Let the component make everything, as its settings say. AWS keeps its own copies."""
    return await ask("provision", layout, address)


async def ask(command: str, layout: BrokerLayout, address: str) -> Sequence[str]:
    """Have the component run a command for every queue of a flow, and return its output by lines.

    Raises:
        ProvisionError: the component is missing, or its command failed.
    """
    account = account_at(address)
    told = {
        "region": account.region,
        "endpoint": account.endpoint or "",
        "accessKey": account.access_key or "",
        "secretKey": account.secret_key or "",
    }
    return await ask_component(
        COMPONENT, command, {"settings": {**layout.settings, **told}, "subscriptions": layout.hearers}
    )
