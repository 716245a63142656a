"""The interface of a Kubernetes cluster with Dapr, whether it is ours or kind's."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from choreography.up.errors import UpError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SHOWN = 3000


class Cluster(ABC):
    """Everything that tests and people do with a cluster."""

    kubeconfig: Path
    kubectl_program: str
    helm_program: str
    skaffold_program: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that point kubectl, helm and skaffold to this cluster."""
        return {"KUBECONFIG": str(self.kubeconfig)}

    @abstractmethod
    def inside(self, *command: str) -> list[str]:
        """Return the command that runs another command on the node."""

    @abstractmethod
    async def address(self, namespace: str, service: str) -> str:
        """Return the address of a service's first port on this machine."""

    @abstractmethod
    async def until_death(self) -> UpError:
        """Wait until the cluster ends by itself."""

    async def kubectl(self, *words: str, given: str = "") -> str:
        """Run kubectl and return its output."""
        return await self.do(self.kubectl_program, *words, given=given)

    async def helm(self, *words: str, given: str = "") -> str:
        """Run helm and return its output."""
        return await self.do(self.helm_program, *words, given=given)

    async def skaffold(self, *words: str) -> str:
        """Run skaffold and return its output."""
        return await self.do(self.skaffold_program, *words)

    async def kill_container(self, container_id: str, signal: str = "SIGKILL") -> None:
        """Kill a container as a crash would; the kubelet finds out by itself."""
        bare = container_id.rpartition("/")[2]
        await self.do(*self.inside("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", signal, bare))

    async def do(self, *command: str, given: str = "") -> str:
        """Run a program for this cluster, and return its output; a failure is an error with the program's output."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, complained = await process.communicate(given.encode())
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise CommandError(command, process.returncode, said.decode(), complained.decode())
        return said.decode()


class CommandError(UpError):
    """A program that should change or read the cluster failed."""

    def __init__(self, command: tuple[str, ...], code: int, said: str, complained: str) -> None:
        words = " ".join(command)
        super().__init__(
            f"`{words[:400]}` failed with exit code {code}, so the cluster is not as it should be. It says:\n"
            f"{(complained.strip() or said.strip())[-_SHOWN:]}"
        )
        self.said = said
        self.complained = complained
