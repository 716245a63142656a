"""Where a cluster lives: its folder, and the addresses that nobody else has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST = 16
NODE_NAME = "lab"
_INTERFACE = "choreo"


@dataclass(frozen=True)
class Site:
    """One of several clusters that may be on this machine; its number decides its addresses.

    They are cut from 198.18.0.0/15, which is set aside for tests, so they are in no network that a machine is in.
    """

    folder: Path
    number: int

    @property
    def interface(self) -> str:
        """The machine's end of the cable to the node."""
        return f"{_INTERFACE}{self.number}"

    @property
    def host(self) -> str:
        """The machine, as the node sees it."""
        return f"198.18.{16 * self.number}.1"

    @property
    def node(self) -> str:
        """The node, as the machine sees it."""
        return f"198.18.{16 * self.number}.2"

    @property
    def services(self) -> str:
        """The addresses of services."""
        return f"198.18.{16 * self.number + 8}.0/21"

    @property
    def pods(self) -> str:
        """The addresses of pods."""
        return f"198.19.{16 * self.number}.0/20"

    @property
    def first_service(self) -> str:
        """Where pods find the API server."""
        return f"198.18.{16 * self.number + 8}.1"

    @property
    def dns(self) -> str:
        """Where pods ask for names."""
        return f"198.18.{16 * self.number + 8}.10"

    @property
    def registry(self) -> str:
        """Where images can be pushed to, and pulled from."""
        return f"{self.node}:5000"

    @property
    def cgroup(self) -> str:
        """The control group below which everything of the node runs."""
        return f"choreography-lab-{self.number}"

    @property
    def logs(self) -> Path:
        """The logs of the processes; those of pods are below `pods`."""
        return self.folder / "logs"

    @property
    def state(self) -> Path:
        """What is gone when the cluster is."""
        return self.folder / "state"

    @property
    def certificates(self) -> Path:
        """Who may speak to whom."""
        return self.state / "certificates"

    @property
    def volumes(self) -> Path:
        """The disks of pods."""
        return self.state / "volumes"

    def kubeconfig(self, who: str) -> Path:
        """How a part of the cluster, or its administrator, reaches the API server."""
        return self.state / f"{who}.kubeconfig"
