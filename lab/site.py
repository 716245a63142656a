"""The place of a cluster: its folder, and its own addresses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST = 16
NODE_NAME = "lab"
_INTERFACE = "choreo"


@dataclass(frozen=True)
class Site:
    """One of several clusters that may be on this machine; its number decides its addresses.

    They are cut from 198.18.0.0/15, which is reserved for tests, so no network of the machine uses them.
    """

    folder: Path
    number: int

    @property
    def interface(self) -> str:
        """The name of the machine's end of the cable to the node."""
        return f"{_INTERFACE}{self.number}"

    @property
    def host(self) -> str:
        """The machine's address, as the node sees it."""
        return f"198.18.{16 * self.number}.1"

    @property
    def node(self) -> str:
        """The node's address, as the machine sees it."""
        return f"198.18.{16 * self.number}.2"

    @property
    def services(self) -> str:
        """The address range of services."""
        return f"198.18.{16 * self.number + 8}.0/21"

    @property
    def pods(self) -> str:
        """The address range of pods."""
        return f"198.19.{16 * self.number}.0/20"

    @property
    def first_service(self) -> str:
        """The address of the API server for pods."""
        return f"198.18.{16 * self.number + 8}.1"

    @property
    def dns(self) -> str:
        """The address of the name server for pods."""
        return f"198.18.{16 * self.number + 8}.10"

    @property
    def registry(self) -> str:
        """The address of the registry, for pushes and pulls."""
        return f"{self.node}:5000"

    @property
    def cgroup(self) -> str:
        """The control group of everything that runs on the node."""
        return f"choreography-lab-{self.number}"

    @property
    def logs(self) -> Path:
        """The folder for the logs of the processes; the logs of pods are below `pods`."""
        return self.folder / "logs"

    @property
    def state(self) -> Path:
        """The folder that is removed with the cluster."""
        return self.folder / "state"

    @property
    def certificates(self) -> Path:
        """The folder of the certificates."""
        return self.state / "certificates"

    @property
    def volumes(self) -> Path:
        """The folder of the pods' disks."""
        return self.state / "volumes"

    def kubeconfig(self, who: str) -> Path:
        """The file by which a part of the cluster, or its administrator, reaches the API server."""
        return self.state / f"{who}.kubeconfig"
