"""EventBridge, emulated, and the component through which a sidecar uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from choreography.progress import Progress
from choreography.provision.eventbridge import COMPONENT
from choreography.up.brokers import moto
from choreography.up.brokers.broker import BrokerPlace
from choreography.up.brokers.component_process import component_beside, require_component
from choreography.up.processes import Program


@dataclass(frozen=True)
class EventBridge(moto.Emulated):
    """Starts an emulator of AWS, and a component beside each sidecar."""

    component_of_dapr: Path
    name: str = "eventbridge"
    forgets: str = moto.FORGETS

    def component(self, place: BrokerPlace, sidecar: str, port: int) -> Program:
        """The component of one sidecar."""
        return component_beside(self.component_of_dapr, "aws.eventbridge", place, sidecar, moto.told(port))


def find_eventbridge(progress: Progress) -> EventBridge:
    """The emulator of this Python environment, and the component of this project."""
    moto.require_moto(progress)
    return EventBridge(require_component(progress, COMPONENT, "EventBridge"))
