"""A user's own flow uses the chart unchanged: its declarations are rendered into a copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from choreography.flow import FlowError
from choreography.render import write
from tests.unit.helm.placing import CHART, of_kind, place, refusal, setting

OURS = ("order", "inventory", "billing", "shipping", "notification")
CHOREOGRAPHY = Path(sys.executable).parent / "choreography"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command in a folder."""
    return subprocess.run(
        [str(CHOREOGRAPHY), *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a flow, copy the chart for it, and render."""
    folder = tmp_path_factory.mktemp("own")
    assert run(folder, "new", "apps/visits").returncode == 0
    shutil.copytree(CHART, folder / "helm/visits")
    told = run(folder, "render", "apps.visits", "--chart", "helm/visits")
    assert told.returncode == 0, told.stderr
    return folder


def test_a_chart_that_holds_a_flow_is_compared_with_it(own: Path) -> None:
    """A file that differs, is missing or is superfluous is reported, and rendering again mends it."""
    files = own / "helm/visits/files"
    assert run(own, "render", "apps.visits", "--check").returncode == 0
    (files / "flow.yaml").write_text((files / "flow.yaml").read_text().replace("requests: true", "requests: false"))
    (files / "alerts.yaml").unlink()
    shutil.copytree(files / "brokers/redis", files / "brokers/mine")
    told = run(own, "render", "apps.visits", "--check")
    assert told.returncode == 1
    assert "helm/visits/files/flow.yaml differs" in told.stdout
    assert "helm/visits/files/alerts.yaml is missing" in told.stdout
    assert "helm/visits/files/brokers/mine/components.yaml was rendered once" in told.stdout
    assert run(own, "render", "apps.visits").returncode == 0
    assert run(own, "render", "apps.visits", "--check").returncode == 0


def test_values_that_were_changed_and_not_rendered_are_told(own: Path) -> None:
    """The schema and the README follow from the values."""
    values = own / "helm/visits/values.yaml"
    before = values.read_text()
    values.write_text(before + "\n# What is new.\nnewcomer: 1\n")
    told = run(own, "render", "apps.visits", "--check")
    assert "helm/visits/values.schema.json differs" in told.stdout
    assert "helm/visits/README.md differs" in told.stdout
    values.write_text(before)


@pytest.mark.helm
def test_a_flow_of_ones_own_is_placed_by_the_same_templates(own: Path) -> None:
    """It names its own services, and nothing of the checkout flow is left."""
    values: dict[str, Any] = {f"services__{name}": None for name in OURS} | {
        "services__visit": {},
        "services__door": {},
    }
    rendered = place(*setting(**values, paymentProvider__enabled=False), chart=own / "helm/visits")
    assert set(of_kind(rendered, "Deployment")) == {"visit", "door"}
    assert {scope for one in of_kind(rendered, "Subscription").values() for scope in one["scopes"]} == {"visit", "door"}
    assert {one["metadata"]["labels"]["app.kubernetes.io/part-of"] for one in rendered} == {"visits"}


@pytest.mark.helm
def test_a_broker_and_a_store_of_ones_own_are_a_file_each(own: Path) -> None:
    """Settings that the chart cannot know must be given, instead of guessed."""
    bases = own / "components"
    kept = (bases / "brokers/redis.yaml").read_text()
    (bases / "brokers/ours.yaml").write_text(kept.replace("REDIS_HOST", "OUR_ADDRESS"))
    kept = (bases / "stores/postgres.yaml").read_text()
    (bases / "stores/ours.yaml").write_text(kept.replace("state.postgresql", "state.cockroachdb"))
    assert run(own, "render", "apps.visits").returncode == 0
    chart = own / "helm/visits"
    values: dict[str, Any] = {f"services__{name}": None for name in OURS} | {
        "services__visit": {},
        "services__door": {},
    }
    values |= {"paymentProvider__enabled": False, "broker__kind": "ours", "store__kind": "ours"}
    assert "Set networkPolicy.brokerPort" in refusal(*setting(**values), chart=chart)
    values["networkPolicy__brokerPort"] = 5672
    assert "Set networkPolicy.storePort" in refusal(*setting(**values), chart=chart)
    values["networkPolicy__storePort"] = 26257
    rendered = place(*setting(**values), chart=chart)
    metadata = of_kind(rendered, "Component")["pubsub"]["spec"]["metadata"]
    assert {"name": "choreography-broker", "key": "OUR_ADDRESS"} in [item.get("secretKeyRef") for item in metadata]
    values["defaults__autoscaling__mode"] = "lag"
    assert "nothing is known of how long the queues" in refusal(*setting(**values), chart=chart)
    (bases / "brokers/ours.yaml").unlink()
    (bases / "stores/ours.yaml").unlink()
    assert run(own, "render", "apps.visits", "--check").returncode == 1
    assert run(own, "render", "apps.visits").returncode == 0
    assert not (chart / "files/brokers/ours").exists() or not list((chart / "files/brokers/ours").iterdir())


def test_a_folder_without_a_chart_is_refused(tmp_path: Path) -> None:
    """Nothing would place what is rendered."""
    with pytest.raises(FlowError, match="Copy helm/choreography"):
        write("apps.checkout", tmp_path)


@pytest.mark.helm
def test_a_chart_without_services_is_refused() -> None:
    """It would install nothing and call that a success."""
    assert "Name at least one of billing" in refusal(*setting(**{f"services__{name}": None for name in OURS}))
