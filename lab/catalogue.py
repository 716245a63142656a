"""Every image of the lab, under the names that manifests use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from choreography.up.dapr import BUILT, CONTROL_PLANE
from lab.debian import Debian
from lab.image import Built, Image
from lab.settings import PAUSE

if TYPE_CHECKING:
    from lab.tools import Tools


def _only(pattern: str, file: Path) -> str:
    """Return the only match of a pattern in a file, which is the source of that fact."""
    (found,) = {str(one) for one in re.findall(pattern, file.read_text(), re.MULTILINE)}
    return found


DAPR_REGISTRY = "choreography-lab"
COREDNS = f"{DAPR_REGISTRY}/coredns:1"
ROOT = Path(__file__).resolve().parents[1]
_FILES = Path(__file__).parent / "images"
_CHART = yaml.safe_load((ROOT / "helm" / "choreography" / "Chart.yaml").read_text())
PROJECT = f"choreography:{_CHART['appVersion']}"  # the chart's default
_DOCKERFILE = ROOT / "Dockerfile"
# The same image, under its own name and under the name of the base image in the Dockerfile.
BASE = Debian((f"{DAPR_REGISTRY}/debian:bookworm", _only(r"^ARG BASE=(\S+)$", _DOCKERFILE)))


@dataclass(frozen=True)
class Catalogue:
    """The images, each with its ingredients."""

    tools: Tools

    def system(self) -> list[Image]:
        """The images that a cluster with Dapr needs before any image of ours runs."""
        program = _FILES / "program.Dockerfile"
        dapr = ("daprd", *CONTROL_PLANE)
        return [
            Built((PAUSE,), _FILES / "pause.Dockerfile", {"pause": self.tools.pause}),
            Built((COREDNS,), program, {"coredns": self.tools.coredns}),
            # One image holds all programs under all names, because each is started by its path.
            Built(
                tuple(f"{DAPR_REGISTRY}/{name}:{BUILT}" for name in dapr),
                program,
                {name: self.tools.dapr / name for name in dapr},
            ),
        ]

    def servers(self) -> list[Image]:
        """The servers that flows need, under the names of the official images."""
        return [
            self._server("redis", base=BASE),
            self._server("postgres", {"entrypoint.sh": _FILES / "postgres-entrypoint.sh"}, base=BASE),
            self._server("nats", {"nats-server": self.tools.nats}),
            self._server("zipkin", {"zipkin.jar": self.tools.zipkin}, base=BASE),
        ]

    def project(self) -> Image:
        """The image of all our services, from the Dockerfile that ships."""
        locks = ("locks/requirements-image.txt", "locks/requirements-sbom.txt")
        copied = ("choreography", "apps", "components", "LICENSE", *locks)
        return Built((PROJECT,), _DOCKERFILE, {name: ROOT / name for name in copied}, BASE)

    def _server(self, name: str, files: dict[str, Path] | None = None, *, base: Image | None = None) -> Image:
        return Built((official(name),), _FILES / f"{name}.Dockerfile", files or {}, base)


def official(server: str) -> str:
    """Return the name of the image that the manifests of a server use."""
    return _only(r"^ +image: (\S+)$", ROOT / "k8s" / "dependencies" / server / f"{server}.yaml")
