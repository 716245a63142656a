"""Writes the flow folders of the systems that run on sidecars, from the files that this project's checkout runs with.

So the broker, the store and the sidecars are exactly the same, and only the differences are written here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from bench.broker import TOPICS
from choreography.flow import services_of
from choreography.render import render
from choreography.render.subscriptions import subscriptions_of

ROOT: Final = Path(__file__).resolve().parent.parent
CHECKOUT: Final = ROOT / "apps" / "checkout"
SERVICES: Final = ("order", "inventory", "billing", "shipping", "notification")

SCOPES: Final = ("publishingScopes", "subscriptionScopes", "allowedTopics", "protectedTopics")

_RESOURCES: Final = "redis"
_STORE: Final = "stores/postgres"
_AT_ONCE: Final = "40"
"""How many messages the quickstart's sidecar may have under way: as many as FastAPI has threads for plain handlers."""

Change = Callable[[dict[str, Any]], bool]


def write_floor(folder: Path) -> Path:
    """Write the floor's files: the checkout's broker and subscriptions, with a topic per service, not per family."""
    flow = _write(folder, "bench.floor", SERVICES, _heard_by_all)
    (folder / "dapr" / _RESOURCES / "subscriptions.yaml").write_text(yaml.safe_dump_all(_subscriptions()))
    return flow


def write_quickstart(folder: Path) -> Path:
    """Write the quickstart's files: it subscribes in its code, one message at a time."""
    return _write(folder, "bench.quickstart", SERVICES, _one_at_a_time)


def write_without_sidecars(folder: Path) -> Path:
    """Write FastStream's files: it needs only the servers and the payment provider."""
    return _write(folder, "", (), lambda _: False)


def _write(folder: Path, module: str, services: tuple[str, ...], keeps: Change) -> Path:
    for part in (_RESOURCES, _STORE):
        resources = folder / "dapr" / part
        resources.mkdir(parents=True, exist_ok=True)
        for name, text in _rendered(part).items():
            kept = [resource for resource in yaml.safe_load_all(text) if keeps(resource)]
            if kept:
                (resources / name).write_text(yaml.safe_dump_all(kept, sort_keys=False))
    apps: list[dict[str, Any]] = [
        {"appID": name, "appDirPath": str(ROOT), "command": ["python", "-m", module, name]} for name in services
    ]
    known = yaml.safe_load((CHECKOUT / "dapr.yaml").read_text())["apps"]
    apps += [app | {"appDirPath": str(ROOT)} for app in known if app.get("x-sidecar") is False]
    common = {"resourcesPaths": [f"dapr/{_RESOURCES}"], "appProtocol": "http"}
    (folder / "dapr.yaml").write_text(yaml.safe_dump({"version": 1, "common": common, "apps": apps}, sort_keys=False))
    return folder


def _rendered(part: str) -> dict[str, str]:
    """Return the files of one folder of Dapr resources of the checkout, by name."""
    texts = render("apps.checkout", broker="redis", store="postgres")
    return {path.name: text for path, text in texts.items() if path.parent.match(f"dapr/{part}")}


def _heard_by_all(resource: dict[str, Any]) -> bool:
    if resource["spec"].get("type", "").startswith("state."):
        return False
    return _unscoped(resource)


def _unscoped(resource: dict[str, Any]) -> bool:
    """Remove the scopes, which do not know this system's topics; its subscriptions are its own, too."""
    metadata = resource["spec"].get("metadata")
    if resource["spec"].get("type", "").startswith("pubsub."):
        resource["spec"]["metadata"] = [item for item in metadata if item["name"] not in SCOPES]
    return bool(resource["kind"] != "Subscription")


def _subscriptions() -> list[dict[str, Any]]:
    """Return a subscription of each service to each service that it follows, in the checkout's form."""
    made = []
    for service in services_of("apps.checkout"):
        text = next(iter(subscriptions_of(service).values()))
        for topic in sorted({TOPICS[event.owned_by] for events in service.hears.values() for event in events}):
            one = yaml.safe_load(text)
            one["metadata"]["name"], one["spec"]["topic"] = f"{service.name}-{topic}", topic
            made.append(one)
    return made


def _one_at_a_time(resource: dict[str, Any]) -> bool:
    if resource["spec"].get("type") == "pubsub.redis":
        for item in resource["spec"]["metadata"]:
            if item["name"] == "concurrency":
                item["value"] = _AT_ONCE
    return _unscoped(resource)
