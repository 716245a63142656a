"""The sidecars' files are rendered at each start, and files that a person keeps are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from choreography.up import FlowFileError, RunningFlow, read_flow
from choreography.up.rendered import with_rendered

ROOT = Path(__file__).parents[3]
CHECKOUT = ROOT / "apps/checkout"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows are imported from where a command is typed."""
    monkeypatch.chdir(ROOT)


def test_a_flow_is_rendered_into_its_run_folder_for_the_broker_that_is_asked_for(tmp_path: Path) -> None:
    """Its stores, its configuration and the users of the broker are rendered too."""
    flow = RunningFlow(CHECKOUT, tmp_path, broker="kafka", store="mysql")
    assert flow.resources == tmp_path / "rendered/dapr/kafka"
    assert yaml.safe_load((flow.resources / "pubsub.yaml").read_text())["spec"]["type"] == "pubsub.kafka"
    assert flow.file.state_resources_for("mysql").is_dir()
    assert flow.file.configuration == tmp_path / "rendered/dapr/config.yaml"
    assert (flow.file.access / "kafka/users.yaml").is_file()
    with pytest.raises(FlowFileError, match="choose one that is there: kafka"):
        flow.file.resources_for("redis")


def test_a_file_that_nothing_asks_for_any_more_is_gone_at_the_next_start(tmp_path: Path) -> None:
    """An old subscription would go on receiving."""
    resources = with_rendered(read_flow(CHECKOUT), tmp_path, "redis").resources_for("redis")
    stale = resources / "subscriptions-gone.yaml"
    stale.write_text((resources / "subscriptions-order.yaml").read_text())
    with_rendered(read_flow(CHECKOUT), tmp_path, "kafka")
    assert stale.exists()
    with_rendered(read_flow(CHECKOUT), tmp_path, "redis")
    assert not stale.exists()
    assert (resources / "subscriptions-order.yaml").exists()


def test_topics_begin_as_the_environment_of_the_services_says(tmp_path: Path) -> None:
    """Otherwise sidecars and services would use different topics."""
    flow = RunningFlow(CHECKOUT, tmp_path, environment={"CHOREOGRAPHY_TOPIC_PREFIX": "staging"})
    assert flow.resources == tmp_path / "rendered-staging/dapr/redis"
    assert "staging.order.created" in (flow.resources / "subscriptions-billing.yaml").read_text()


def test_files_that_a_person_keeps_are_used_as_they_are(tmp_path: Path) -> None:
    """They may be written by hand, for a flow without rendered files."""
    kept = tmp_path / "flow/dapr/redis"
    kept.mkdir(parents=True)
    (kept / "pubsub.yaml").write_text("mine: yes\n")
    app = {"appID": "a", "appDirPath": ".", "command": ["serve"]}
    (tmp_path / "flow/dapr.yaml").write_text(yaml.safe_dump({"version": 1, "apps": [app]}))
    assert RunningFlow(tmp_path / "flow", tmp_path / "run").resources == kept
    assert (kept / "pubsub.yaml").read_text() == "mine: yes\n"
    assert not (tmp_path / "run/rendered").exists()
