"""What flows need in a cluster beside Kubernetes: Dapr itself, and the kinds of object that their manifests name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from choreography.up import dapr
from choreography.up.go_modules import module_folder
from lab.catalogue import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from choreography.up.progress import Progress
    from lab.cluster import Cluster

NAMESPACE = "dapr-system"
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


async def install_crds(cluster: Cluster, progress: Progress) -> None:
    """Make known what autoscalers and alerts are; what acts on them need not be there for a manifest to be judged."""
    folders: dict[str, Path] = {}
    for module, version, file in _CRDS:
        if module not in folders:
            folders[module] = await asyncio.to_thread(module_folder, progress, module, version, _WHY)
        folder = folders[module]
        # On the server's side, because an annotation of `apply` would be too long for some of them.
        await cluster.kubectl("apply", "--server-side", "--filename", str(folder / file))
    progress.done("objects of KEDA and of the Prometheus operator are known")


async def install_dapr(cluster: Cluster, progress: Progress, registry: str) -> None:
    """Install Dapr with its own chart, and wait until it answers; without a registry, from where Dapr publishes it."""
    chart = await asyncio.to_thread(dapr.chart, progress)
    # Sentry reads its configuration at the start, and ends when nobody knows yet what that is.
    known = ["--filename", str(chart / "crds")]
    await cluster.kubectl("apply", "--server-side", *known)
    await cluster.kubectl("wait", "--for=condition=Established", "--timeout", "60s", *known)
    published = ["--set", f"global.registry={registry}"] if registry else []
    await cluster.helm(
        *["upgrade", "--install", "dapr", str(chart), "--namespace", NAMESPACE, "--create-namespace", "--skip-crds"],
        *["--values", str(_VALUES), "--set", f"global.tag={dapr.BUILT}", *published, "--wait", "--timeout", "5m"],
    )
    progress.done(f"Dapr {dapr.BUILT} runs in {NAMESPACE}")
