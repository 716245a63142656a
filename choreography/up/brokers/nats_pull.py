"""NATS, and the component of this project through which a sidecar uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from choreography.progress import Progress
from choreography.provision.nats_pull import COMPONENT
from choreography.up.brokers.broker import BrokerPlace
from choreography.up.brokers.component_process import component_beside, require_component
from choreography.up.brokers.nats import Nats, find_nats
from choreography.up.processes import Program


@dataclass(frozen=True)
class NatsPull(Nats):
    """Starts NATS, and a component beside each sidecar."""

    name: str = "nats-pull"
    component_of_dapr: Path = Path()

    def component(self, place: BrokerPlace, sidecar: str, port: int) -> Program:  # noqa: ARG002 - its file says where NATS is
        """The component of one sidecar."""
        return component_beside(self.component_of_dapr, "nats-pull", place, sidecar)


def find_nats_pull(progress: Progress) -> NatsPull:
    """NATS, and the component of this project."""
    server = find_nats(progress).server
    return NatsPull(server, component_of_dapr=require_component(progress, COMPONENT, "NATS by pulling"))
