"""The API server itself validates the manifests before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import Cluster, CommandError
from tests.e2e.checkout import CHART

DRY = "dry-run"
BROKERS = sorted(file.stem for file in Path(CHART, "values").glob("*.yaml"))
OVERLAYS = sorted(folder.parent for folder in Path("k8s/overlays").glob("*/kustomization.yaml"))
FLOWS = sorted(folder.parent for folder in Path("k8s/flow").glob("*/kustomization.yaml"))
EVERYTHING = [
    "monitoring.serviceMonitor.enabled=true",
    "monitoring.podMonitor.enabled=true",
    "monitoring.rules.enabled=true",
    "monitoring.dashboard.enabled=true",
    "tracing.exporter=otlp",
    "defaults.autoscaling.mode=lag",
    "broker.eventbridge.image=eventbridge:1",
    "broker.natsPull.image=nats-pull:1",
    # In a dry run the API server does not know a service account that the chart would make itself.
    "serviceAccount.name=default",
]


@pytest.fixture(scope="module")
async def dry(cluster: Cluster) -> Cluster:
    """A namespace for dry runs only, as restricted as the real one."""
    labels = "{pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}"
    space = f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {DRY}, labels: {labels}}}}}"
    await cluster.kubectl("apply", "--filename", "-", given=space)
    return cluster


async def judged(cluster: Cluster, manifests: str) -> str:
    """Let the API server validate them; unknown fields and warnings are errors."""
    return await cluster.kubectl(
        *["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--namespace", DRY],
        *["--filename", "-"],
        given=manifests,
    )


async def test_the_chart_passes_helms_own_lint(cluster: Cluster) -> None:
    """Warnings count."""
    await cluster.helm("lint", "--strict", CHART)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("broker.kind=carrier-pigeon", r"nothing was rendered for it, so there would be no component\. Choose one of"),
        ("services.ordr.replicas=1", r"is not declared in apps\.checkout.* correct its name"),
        ("store.kind=sqlite", r"a file that one process may open"),
        ("imagee.tag=1", r"imagee"),
        ("defaults.replicas=many", r"replicas"),
        ("networkPolicy.brokerPort=70000", r"brokerPort"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_before_anything_is_made(
    cluster: Cluster, setting: str, sentence: str
) -> None:
    """A misspelt name and an impossible pair alike."""
    with pytest.raises(CommandError, match=sentence):
        await cluster.helm("install", "bad", CHART, "--namespace", "default", "--dry-run=client", "--set", setting)


@pytest.fixture(scope="module")
async def manifests(dry: Cluster) -> Cluster:
    """The flow placed for those without Helm, as the page says."""
    await dry.do("make", "--silent", "manifests", f"HELM={dry.helm_program}")
    return dry


@pytest.mark.parametrize("flow", FLOWS, ids=str)
async def test_the_api_server_takes_the_flow_without_helm(manifests: Cluster, flow: Path) -> None:
    """It accepts the objects that `kubectl apply -k` would send."""
    said = await judged(manifests, await manifests.kubectl("kustomize", str(flow)))
    assert "deployment.apps/order created (server dry run)" in said


@pytest.mark.parametrize("overlay", OVERLAYS, ids=str)
async def test_the_api_server_takes_every_overlay(manifests: Cluster, overlay: Path) -> None:
    """They hold brokers, store and traces, with freshly generated secrets."""
    await manifests.do("k8s/secrets/make")
    together = await manifests.kubectl("kustomize", str(overlay))
    # The overlay's own namespace does not exist yet, and a dry run does not make it.
    said = await judged(manifests, together.replace("namespace: checkout", f"namespace: {DRY}"))
    assert "statefulset.apps/postgres created (server dry run)" in said


@pytest.mark.parametrize("broker", BROKERS)
async def test_the_api_server_takes_the_chart_with_every_option_on(dry: Cluster, broker: str) -> None:
    """No pod is refused under Pod Security restricted, and no field is unknown."""
    manifests = await dry.helm(
        *["template", "checkout", CHART, "--namespace", DRY, "--values", f"{CHART}/values/{broker}.yaml"],
        *(word for option in EVERYTHING for word in ("--set", option)),
    )
    said = await judged(dry, manifests)
    for kind in (
        "deployment.apps/shipping",
        "networkpolicy.networking.k8s.io/shipping",
        "servicemonitor",
        "podmonitor",
        "scaledobject",
        "prometheusrule",
    ):
        assert kind in said
