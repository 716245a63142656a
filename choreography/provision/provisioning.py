"""Chooses the module that provisions a broker by the type of its component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from choreography.errors import ChoreographyError
from choreography.provision.clients import speaker
from choreography.provision.layout import BrokerLayout, ProvisionError

_MODULES: Final = {
    "pubsub.kafka": "choreography.provision.kafka",
    "pubsub.rabbitmq": "choreography.provision.rabbitmq",
    "pubsub.jetstream": "choreography.provision.nats",
    "pubsub.nats-pull": "choreography.provision.nats_pull",
    "pubsub.aws.snssqs": "choreography.provision.aws",
    "pubsub.aws.eventbridge": "choreography.provision.eventbridge",
    "pubsub.eventbridge": "choreography.provision.eventbridge",  # its type in version 0.1.0
}
_NOTHING_TO_DO: Final = {
    "pubsub.redis": "Redis keeps what is published before the first subscription, and needs nothing beforehand.",
}


class Provisioner(Protocol):
    """One broker's module."""

    async def provision(self, layout: BrokerLayout, address: str, *, partitions: int, copies: int) -> Sequence[str]:
        """Make what is missing, leave what exists, and return a sentence for each thing that was made."""
        ...


async def provision(layout: BrokerLayout, address: str, *, partitions: int = 4, copies: int = 1) -> Sequence[str]:
    """Create everything on a broker that a flow needs. Existing things stay as they are.

    Args:
        layout: the requirements of the flow.
        address: the address of the broker, in the form its component takes.
        partitions: the number of partitions of each topic, if topics have some: the most replicas that a service can
            use.
        copies: the number of nodes on which the broker keeps every event.

    Returns:
        A sentence for everything that was made, or that exists in another form.

    Raises:
        ProvisionError: the broker is unknown, does not answer, or refuses.
    """
    if layout.kind in _NOTHING_TO_DO:
        return [_NOTHING_TO_DO[layout.kind]]
    if layout.kind not in _MODULES:
        known = ", ".join(sorted({*_MODULES, *_NOTHING_TO_DO}))
        raise ProvisionError(f"Nobody here can provision {layout.kind!r}. Known are: {known}.")
    module: Provisioner = speaker(_MODULES[layout.kind], layout.kind, "reached", ProvisionError)
    try:
        return await module.provision(layout, address, partitions=partitions, copies=copies)
    except ChoreographyError:
        raise
    # Clients of brokers raise arbitrary errors for an invalid address.
    except Exception as error:
        raise ProvisionError(
            f"{layout.kind} at {address!r} could not be provisioned: {error!r}. Is that its address, in the form its "
            "component takes it?"
        ) from error
