"""The chart with its intake closed: services know it, and the upgrade ends only when the flow is drained."""

from __future__ import annotations

from pathlib import Path

import pytest

from choreography.drain.replicas import USUAL
from choreography.flow import services_of
from choreography.provision import layout_of
from choreography.render.brokers import BROKERS
from tests.unit.helm.placing import of_kind, place, pods, refusal, restricted, setting
from tests.unit.helm.test_policies import NODE_DNS, POD_IDENTITY, reaches
from tests.unit.helm.test_templates import environment, on

pytestmark = pytest.mark.helm

SERVICES = services_of("apps.checkout")
NAMES = [service.name for service in SERVICES]
CLOSED = setting(intake="closed")


def test_every_service_is_told_that_its_intake_is_closed() -> None:
    """While it is open, the variable is not set, because open is the default of services."""
    closed, opened = place(*CLOSED), place()
    assert {environment(closed, name).get("CHOREOGRAPHY_INTAKE") for name in NAMES} == {"closed"}
    assert {environment(opened, name).get("CHOREOGRAPHY_INTAKE") for name in NAMES} == {None}
    assert "checkout-drain" not in of_kind(opened, "Job")


@pytest.mark.parametrize("broker", sorted(BROKERS))
def test_an_upgrade_waits_until_the_flow_is_drained(broker: str, tmp_path: Path) -> None:
    """It waits by a Job that reads the sidecars' files and that Pod Security admits."""
    rendered = on(broker, *CLOSED)
    job = of_kind(rendered, "Job")["checkout-drain"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-upgrade"
    assert not restricted(pods(rendered)["Job/checkout-drain"])
    maps = of_kind(rendered, "ConfigMap")
    assert maps["checkout-drain"]["data"] == maps["checkout-provision"]["data"]
    (tmp_path / "resources.yaml").write_text(maps["checkout-drain"]["data"]["resources.yaml"])
    assert {app for app, _ in layout_of(tmp_path).hearers} == set(NAMES)


def test_the_job_ends_before_it_is_killed_and_what_it_said_stays() -> None:
    """A second try would wait twice the configured time."""
    rendered = place(*CLOSED, *setting(drain__withinSeconds=90))
    job, pod = of_kind(rendered, "Job")["checkout-drain"]["spec"], pods(rendered)["Job/checkout-drain"]
    assert pod["containers"][0]["command"][:5] == ["choreography", "drain", "/resources", "--within", "90s"]
    assert job["activeDeadlineSeconds"] > 90
    assert (job["backoffLimit"], pod["restartPolicy"]) == (0, "Never")


def test_nothing_may_move_for_as_long_as_the_slowest_pod_may_take_to_end() -> None:
    """A pod that is about to end cannot be asked."""
    slow = setting(services__billing={"shutdown": {"terminationSeconds": 120}})
    command = pods(place(*CLOSED, *slow))["Job/checkout-drain"]["containers"][0]["command"]
    assert command[-2:] == ["--grace", "120s"]


@pytest.mark.parametrize("broker", sorted(BROKERS))
def test_the_job_may_ask_the_broker_and_every_replica_and_nobody_else(broker: str) -> None:
    """The policies of both allow it, too."""
    placed = of_kind(on(broker, *CLOSED), "NetworkPolicy")
    at = {"anywhere", POD_IDENTITY} if BROKERS[broker].elsewhere else {"broker"}
    assert reaches(placed["checkout-drain"]) == {"kube-system", NODE_DNS, "service", *at}
    ports = {port["port"] for rule in placed["checkout-drain"]["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 8000, BROKERS[broker].port} | (
        {BROKERS[broker].management, 80 * BROKERS[broker].elsewhere} - {0}
    )
    drain = {"app.kubernetes.io/part-of": "checkout", "app.kubernetes.io/component": "drain"}
    for name in NAMES:
        peers = [peer for rule in placed[name]["spec"]["ingress"] for peer in rule["from"]]
        assert {"podSelector": {"matchLabels": drain}} in peers


def test_replicas_listen_where_the_command_looks_for_them() -> None:
    """They listen at the app's port, under the name that Dapr gives an app id."""
    for name in NAMES:
        assert environment(place(), name)["APP_PORT"] == USUAL.rpartition(":")[2]


def test_an_intake_that_is_neither_open_nor_closed_is_refused() -> None:
    """The message names the two valid values."""
    said = refusal(*setting(intake="shut"))
    assert "intake" in said
    assert "'open', 'closed'" in said
