"""A cluster made by kind, on machines where docker, kind, kubectl, helm and skaffold are available.

This module could not be run where it was written, because there was no registry: the tests there use our own cluster.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.ports import Ports
from choreography.up.running_tools import ask, work
from lab.catalogue import PROJECT, ROOT
from lab.cluster import Cluster
from lab.dapr import find, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from choreography.progress import Progress
    from choreography.up.errors import UpError

_NAME = f"choreography-{os.getuid()}"
_PROGRAMS = ("docker", "kind", "kubectl", "helm", "skaffold", "go")
_WHY = "Without a cluster nothing can be tried on one. Mend docker or kind, or take kind off the PATH."


def answers() -> bool:
    """Tell whether all of these programs answer: a docker client without its engine is useless."""
    return all(map(shutil.which, _PROGRAMS)) and ask(["docker", "info"]) is not None


class KindCluster(Cluster):
    """A cluster whose node is a container of docker."""

    kubectl_program, helm_program, skaffold_program = "kubectl", "helm", "skaffold"

    def __init__(self, kubeconfig: Path, ports: Ports, progress: Progress) -> None:
        self.kubeconfig = kubeconfig
        self._ports = ports
        self._progress = progress
        self._forwards: dict[str, asyncio.Task[None]] = {}

    async def load_project(self) -> None:
        """Build with the machine's own docker, on the Dockerfile's base image; the node downloads everything else."""
        await asyncio.to_thread(self._work, f"building {PROJECT}", ["docker", "build", "--tag", PROJECT, str(ROOT)])
        load = ["kind", "load", "docker-image", PROJECT, "--name", _NAME]
        await asyncio.to_thread(self._work, f"loading {PROJECT}", load)

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs another command in the container of the node."""
        return ["docker", "exec", "--interactive", f"{_NAME}-control-plane", *command]

    async def address(self, namespace: str, service: str) -> str:
        """Forward a local port to the service, and forward it again whenever its pod is replaced."""
        name = f"{namespace}/{service}"
        port = self._ports.of(name)
        if name not in self._forwards:
            told = json.loads(await self.kubectl("get", "service", service, "-n", namespace, "--output", "json"))
            target = told["spec"]["ports"][0]["port"]
            self._forwards[name] = asyncio.create_task(self._forward(namespace, service, f"{port}:{target}"))
        return f"http://127.0.0.1:{port}"

    async def until_death(self) -> UpError:
        """Wait forever: docker supervises the node, so it does not end by itself."""
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """End every port forward."""
        for task in self._forwards.values():
            task.cancel()
        await asyncio.gather(*self._forwards.values(), return_exceptions=True)

    async def _forward(self, namespace: str, service: str, ports: str) -> None:
        while True:
            with suppress(Exception):
                await self.kubectl("port-forward", f"service/{service}", ports, "--namespace", namespace)
            await asyncio.sleep(0.2)

    def _work(self, what: str, command: list[str]) -> None:
        with self._progress.doing(what) as ticker:
            work(command, why=_WHY, ticker=ticker)
        self._progress.done(what)


@asynccontextmanager
async def kind_cluster(folder: Path, progress: Progress) -> AsyncIterator[KindCluster]:
    """Run a cluster with Dapr and our image in docker. It is deleted at the end, like one that an earlier run left."""
    folder.mkdir(parents=True, exist_ok=True)
    kubeconfig = folder / "kubeconfig"
    cluster = KindCluster(kubeconfig.resolve(), Ports(folder / "ports.json"), progress)
    async with AsyncExitStack() as stack:
        await cluster.do("kind", "delete", "cluster", "--name", _NAME)
        stack.push_async_callback(cluster.do, "kind", "delete", "cluster", "--name", _NAME)
        await cluster.do("kind", "create", "cluster", "--name", _NAME, "--kubeconfig", str(kubeconfig), "--wait", "3m")
        stack.push_async_callback(cluster.close)
        progress.done("kind made a cluster")
        await cluster.load_project()
        await install(cluster, await asyncio.to_thread(find, progress), progress, registry="")
        yield cluster
