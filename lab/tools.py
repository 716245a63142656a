"""The programs of a cluster and of its users: built from Go modules, or installed from Debian's packages."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up import dapr
from choreography.up.errors import MissingToolError
from choreography.up.go_modules import GoProject, obtain
from choreography.up.servers import can_install, find_zipkin, install

if TYPE_CHECKING:
    from choreography.progress import Progress

KUBERNETES = "1.34.3"
_NODE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
_WHY = (
    "Without it there is no cluster to test on. Install Go 1.24 or newer, then start again, "
    "or install docker and kind: they are used where both answer."
)
_HELM = GoProject(
    name="helm",
    version="3.19.2",
    source="helm.sh/helm/v3",
    packages="./cmd/{}",
    flags=(
        "-ldflags",
        # Charts are rendered and checked for this version of Kubernetes if no cluster reports its own.
        "-s -w -X helm.sh/helm/v3/internal/version.version=v3.19.2 "
        + " ".join(
            f"-X helm.sh/helm/v3/pkg/{package}.k8sVersion{part}={value}"
            for package in ("lint/rules", "chartutil")
            for part, value in (("Major", "1"), ("Minor", "34"))
        ),
    ),
    why=_WHY,
)
_SKAFFOLD = GoProject(
    name="skaffold",
    version="2.16.1",
    source="github.com/GoogleContainerTools/skaffold/v2",
    packages="./cmd/{}",
    flags=("-ldflags", "-s -w -X github.com/GoogleContainerTools/skaffold/v2/pkg/skaffold/version.version=v2.16.1"),
    why=_WHY,
)
_COREDNS = GoProject(
    name="coredns",
    version="1.13.1",
    source=Path(__file__).parent / "coredns",
    packages=".",
    flags=("-ldflags", "-s -w"),
    why=_WHY,
)
_KUBERNETES = GoProject(
    name="kubernetes",
    version=KUBERNETES,
    # Kubernetes' own go.mod replaces its parts by folders that its module lacks; our go.mod names their releases.
    source=Path(__file__).parent / "kubernetes",
    packages="k8s.io/kubernetes/cmd/{}",
    flags=(
        "-ldflags",
        "-s -w "
        + " ".join(
            f"-X {package}.git{part}={value}"
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for part, value in (("Version", f"v{KUBERNETES}"), ("Major", "1"), ("Minor", "34"))
        ),
    ),
    why=_WHY,
    takes="5 minutes",
)
_PAUSE = GoProject(
    name="pause",
    version="1",
    source=Path(__file__).parent / "pause",
    packages=".",
    flags=("-ldflags", "-s -w"),
    why=_WHY,
)
_NATS = GoProject(
    name="nats-server",
    version="2.11.8",  # as in k8s/: Debian's is too old for the setting that syncs before it acknowledges
    source="github.com/nats-io/nats-server/v2",
    packages=".",
    flags=("-ldflags", "-s -w"),
    why=_WHY,
)
_DEBIAN = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "openssl": "openssl",
}


@dataclass(frozen=True)
class Tools:
    """The path of each program."""

    kubernetes: Path
    dapr: Path
    coredns: Path
    helm: Path
    skaffold: Path
    pause: Path
    zipkin: Path
    nats: Path

    @property
    def kubectl(self) -> Path:
        """The command line of Kubernetes."""
        return self.kubernetes / "kubectl"


def prepare(progress: Progress) -> Tools:
    """Find or obtain every program, small ones first: a missing one is reported before a build of minutes."""
    install_debian(progress)
    return Tools(
        helm=helm(progress),
        pause=obtain(progress, _PAUSE, ["pause"]) / "pause",
        zipkin=find_zipkin(progress).jar,
        nats=obtain(progress, _NATS, ["nats-server"]) / "nats-server",
        coredns=obtain(progress, _COREDNS, ["coredns"]) / "coredns",
        skaffold=obtain(progress, _SKAFFOLD, ["skaffold"]) / "skaffold",
        kubernetes=obtain(progress, _KUBERNETES, _NODE),
        dapr=dapr.for_a_cluster(progress),
    )


def helm(progress: Progress) -> Path:
    """Find or build only Helm, which is enough to render a chart."""
    return obtain(progress, _HELM, ["helm"]) / "helm"


def install_debian(progress: Progress) -> None:
    """Install the Debian packages whose programs are missing."""
    missing = [package for program, package in _DEBIAN.items() if shutil.which(program) is None]
    if missing and not can_install():
        raise MissingToolError(
            f"A cluster on this machine needs Debian's packages {', '.join(missing)}, and they are missing. "
            "Install them, become root where apt-get is, or install docker and kind, then start again."
        )
    for package in missing:
        install(progress, package)
