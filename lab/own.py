"""Our own cluster: one node on this machine, made of programs that were built here."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from lab import tools as toolbox
from lab import volumes
from lab.catalogue import BASE, COREDNS, DAPR_REGISTRY, Catalogue
from lab.cluster import Cluster
from lab.dapr import find, install
from lab.docker import Docker
from lab.machine import Machine, node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from choreography.progress import Progress
    from choreography.up.errors import UpError
    from lab.image import Image
    from lab.tools import Tools

_SYSTEM = Path(__file__).parent / "system.yaml"


class OwnCluster(Cluster):
    """A cluster whose node is a process of ours."""

    def __init__(self, machine: Machine, tools: Tools, docker: Docker, progress: Progress) -> None:
        self.machine = machine
        self.kubeconfig = machine.site.kubeconfig("admin")
        self.kubectl_program, self.helm_program = str(tools.kubectl), str(tools.helm)
        self.skaffold_program = str(tools.skaffold)
        self._catalogue = Catalogue(tools)
        self._docker = docker
        self._progress = progress

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables for the cluster, for the engine that makes images, for the registry, and for the programs."""
        site = self.machine.site
        programs = {str(Path(one).parent) for one in (self.kubectl_program, self.helm_program, self.skaffold_program)}
        return {
            **super().environment,
            **self._docker.environment,
            "SKAFFOLD_DEFAULT_REPO": site.registry,
            "SKAFFOLD_CONFIG": str(site.state / "skaffold.yaml"),
            "PATH": os.pathsep.join([*sorted(programs), os.environ["PATH"]]),
        }

    async def load_the_rest(self) -> None:
        """Load the image of our services from the current sources, the servers, and a base image for builds here."""
        await self.load(self._catalogue.project(), *self._catalogue.servers())
        await asyncio.to_thread(self._let_others_build)

    def _let_others_build(self) -> None:
        with self._progress.doing(f"giving {BASE.names[1]} to the engine") as ticker:
            BASE.give_to(self._docker, self._progress, ticker)

    async def load(self, *images: Image) -> None:
        """Make the images that the cache lacks, and import them into the node."""
        for image in images:
            file = await asyncio.to_thread(image.obtain, self._docker, self._progress)
            await self.do(*self.inside("ctr", "--namespace", "k8s.io", "images", "import", str(file)))
            self._progress.done(f"image {image.names[0]} loaded")

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs another command on the node, with its programs on the path."""
        return self.machine.inside(*command)

    async def address(self, namespace: str, service: str) -> str:
        """Return the address of a service; addresses of services are routed to the node."""
        told = json.loads(await self.kubectl("get", "service", service, "--namespace", namespace, "--output", "json"))
        return f"http://{told['spec']['clusterIP']}:{told['spec']['ports'][0]['port']}"

    async def until_death(self) -> UpError:
        """Wait until the node ends, which it does with any of its programs."""
        return await self.machine.processes.until_death()


@asynccontextmanager
async def own_cluster(folder: Path, progress: Progress) -> AsyncIterator[OwnCluster]:
    """Run a cluster with Dapr, and with every image that a flow on it needs."""
    tools = await asyncio.to_thread(toolbox.prepare, progress)
    manifests = await asyncio.to_thread(find, progress)
    async with node(folder, tools) as machine:
        progress.done(f"Kubernetes {toolbox.KUBERNETES} runs at {machine.site.node}")
        docker = Docker(machine.site)
        (engine,) = machine.processes.wave([docker.program()])
        await engine.start()
        await engine.until_ready()
        cluster = OwnCluster(machine, tools, docker, progress)
        await cluster.load(*Catalogue(tools).system())
        names = Template(_SYSTEM.read_text()).substitute(COREDNS=COREDNS, DNS=machine.site.dns)
        await cluster.kubectl("apply", "--filename", "-", given=names)
        await cluster.kubectl("apply", "--filename", "-", given=json.dumps(volumes.objects(machine.site)))
        await asyncio.gather(install(cluster, manifests, progress, registry=DAPR_REGISTRY), cluster.load_the_rest())
        yield cluster
