"""The systems beside ours run on the same broker, store and sidecar settings, taken from our own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.flow_files import SCOPES, SERVICES, write_floor, write_quickstart, write_without_sidecars
from choreography.up import read_flow
from tests.rendered_flow import rendered_flow


def resources(flow: Path) -> list[dict[str, Any]]:
    """Read the resources of a flow's sidecars."""
    folders = (flow / "dapr" / "redis", flow / "dapr" / "stores" / "postgres")
    files = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    return [one for path in files for one in yaml.safe_load_all(path.read_text())]


def settings(flow: Path, kind: str) -> dict[str, Any]:
    """Read the settings of the one component of a kind, but for the topics, which are each system's own."""
    found = next(one for one in resources(flow) if str(one["spec"].get("type", "")).startswith(kind))
    told = {item["name"]: item.get("value", item.get("envRef")) for item in found["spec"]["metadata"]}
    return {name: value for name, value in told.items() if name not in SCOPES}


def test_the_floor_has_our_broker_and_our_subscriptions(tmp_path: Path) -> None:
    """The files are the same to the letter, and it has no store."""
    flow = write_floor(tmp_path)
    assert [app.name for app in read_flow(flow).services] == list(SERVICES)
    assert settings(flow, "pubsub.") == settings(rendered_flow(), "pubsub.")
    kinds = {(one["kind"], one["spec"].get("type", "")) for one in resources(flow)}
    assert kinds == {("Component", "pubsub.redis"), ("Resiliency", ""), ("Subscription", "")}
    heard = {(one["scopes"][0], one["spec"]["topic"]) for one in resources(flow) if one["kind"] == "Subscription"}
    assert ("shipping", "payments") in heard
    assert {topic for _, topic in heard} == {"orders", "stock", "payments", "shipments"}


def test_the_quickstart_has_our_store_and_subscribes_itself(tmp_path: Path) -> None:
    """Only the number of messages under way is its own: as many as it has threads."""
    flow = write_quickstart(tmp_path)
    assert settings(flow, "state.") == settings(rendered_flow(), "state.")
    assert settings(flow, "pubsub.") == settings(rendered_flow(), "pubsub.") | {"concurrency": "40"}
    assert not [one for one in resources(flow) if one["kind"] == "Subscription"]


def test_faststream_has_the_provider_and_no_sidecar(tmp_path: Path) -> None:
    """It connects to Redis itself."""
    flow = read_flow(write_without_sidecars(tmp_path))
    assert not flow.services
    assert [app.name for app in flow.outside] == ["payment-provider"]
    assert resources(tmp_path) == []
