"""The parts of a cluster that flows need beside Kubernetes: Dapr, and the resource types that their manifests use."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up import dapr
from choreography.up.go_modules import module_folder
from lab.catalogue import ROOT

if TYPE_CHECKING:
    from choreography.progress import Progress
    from lab.cluster import Cluster

NAMESPACE = "dapr-system"
_ONE_SCHEDULER = Path(__file__).parent / "one_scheduler.py"
_VALUES = ROOT / "k8s" / "dapr-values.yaml"
_WHY = "Without the kinds of object that manifests name, nothing can tell whether they are right."
_PROMETHEUS = "example/prometheus-operator-crd/monitoring.coreos.com_{}.yaml"
_CRDS = (
    ("github.com/kedacore/keda/v2", "2.18.2", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    ("github.com/kedacore/keda/v2", "2.18.2", "config/crd/bases/keda.sh_triggerauthentications.yaml"),
    # The module proxy does not have 0.86.1 and 0.86.2.
    ("github.com/prometheus-operator/prometheus-operator", "0.85.0", _PROMETHEUS.format("podmonitors")),
    ("github.com/prometheus-operator/prometheus-operator", "0.85.0", _PROMETHEUS.format("servicemonitors")),
    ("github.com/prometheus-operator/prometheus-operator", "0.85.0", _PROMETHEUS.format("prometheusrules")),
)


@dataclass(frozen=True)
class Manifests:
    """The folders of foreign manifests."""

    dapr: Path
    crds: tuple[Path, ...]


def find(progress: Progress) -> Manifests:
    """Find or download the modules that contain them."""
    folders = {module: module_folder(progress, *module, _WHY) for module in dict.fromkeys(one[:2] for one in _CRDS)}
    return Manifests(
        dapr=dapr.chart(progress), crds=tuple(folders[module, version] / file for module, version, file in _CRDS)
    )


async def install(cluster: Cluster, manifests: Manifests, progress: Progress, registry: str) -> None:
    """Install Dapr, and the resource types of autoscalers and alerts; their controllers need not be there.

    Without a registry of the lab, Dapr's images come from its own publisher.
    """
    for file in manifests.crds:
        # Applied on the server's side, because the annotation of `apply` would be too long for some of them.
        await cluster.kubectl("apply", "--server-side", "--filename", str(file))
    # Sentry reads its configuration at its start, and ends if the cluster does not know the type yet.
    known = ["--filename", str(manifests.dapr / "crds")]
    await cluster.kubectl("apply", "--server-side", *known)
    await cluster.kubectl("wait", "--for=condition=Established", "--timeout", "60s", *known)
    published = ["--set", f"global.registry={registry}"] if registry else []
    await cluster.helm(
        *["upgrade", "--install", "dapr", str(manifests.dapr), "--namespace", NAMESPACE, "--create-namespace"],
        *["--values", str(_VALUES), "--set", f"global.tag={dapr.BUILT}", *published],
        *["--post-renderer", sys.executable, "--post-renderer-args", str(_ONE_SCHEDULER)],
        *["--skip-crds", "--wait", "--timeout", "5m"],
    )
    progress.done(f"Dapr {dapr.BUILT} runs in {NAMESPACE}")
