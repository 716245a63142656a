"""What flows need in a cluster beside Kubernetes: Dapr itself, and the kinds of object that their manifests name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from choreography.up import dapr
from choreography.up.go_modules import module_folder

if TYPE_CHECKING:
    from choreography.up.progress import Progress
    from lab.cluster import Cluster

NAMESPACE = "dapr-system"
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
    for module, version, file in _CRDS:
        folder = await asyncio.to_thread(module_folder, progress, module, version, _WHY)
        # On the server's side, because an annotation of `apply` would be too long for some of them.
        await cluster.kubectl("apply", "--server-side", "--filename", str(folder / file))
    progress.done("objects of KEDA and of the Prometheus operator are known")


async def install_dapr(cluster: Cluster, progress: Progress, registry: str) -> None:
    """Install Dapr with its own chart, and wait until it answers; without a registry, from where Dapr publishes it."""
    values = {
        "global.tag": dapr.BUILT,
        # Jobs live as long as the cluster; a disk for each of three schedulers would only take time.
        "dapr_scheduler.cluster.inMemoryStorage": "true",
    }
    if registry:
        values["global.registry"] = registry
    chart = await asyncio.to_thread(dapr.chart, progress)
    await cluster.helm(
        *["upgrade", "--install", "dapr", str(chart), "--namespace", NAMESPACE, "--create-namespace"],
        *["--wait", "--timeout", "5m"],
        *(word for name, value in values.items() for word in ("--set", f"{name}={value}")),
    )
    progress.done(f"Dapr {dapr.BUILT} runs in {NAMESPACE}")
