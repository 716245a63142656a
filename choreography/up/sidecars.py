"""The sidecar of an app: its flags, its environment, and the files that need this run's addresses."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOOPBACK = "127.0.0.1"


class SidecarAddress(NamedTuple):
    """The address of a sidecar: send `token` in the header `dapr-api-token`."""

    url: str
    token: str


@dataclass(frozen=True)
class Addresses:
    """The addresses of one app and its sidecar, and the tokens by which each identifies the other."""

    app_id: str
    app: int | None
    http: int
    grpc: int
    internal: int
    metrics: int
    # New for every run: a token that is never stored cannot be stolen from a disk.
    api_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    app_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def url(self) -> str:
        """The sidecar's HTTP API."""
        return f"http://{LOOPBACK}:{self.http}"

    def tokens(self) -> dict[str, str]:
        """The tokens for both sides."""
        return {"DAPR_API_TOKEN": self.api_token, "APP_API_TOKEN": self.app_token}

    def for_app(self) -> dict[str, str]:
        """The variables by which an app reaches its sidecar; their names are the ones of `dapr run`."""
        return {
            "APP_ID": self.app_id,
            "APP_PORT": str(self.app),
            "DAPR_HTTP_PORT": str(self.http),
            "DAPR_GRPC_PORT": str(self.grpc),
            "DAPR_METRICS_PORT": str(self.metrics),
            **self.tokens(),
        }

    def for_sidecar(self, components: dict[str, str]) -> dict[str, str]:
        """The variables for daprd: tokens, and the addresses that its component files take by `envRef`."""
        # GOGC=400 was measured: it saves a fifth to a third of the sidecar's CPU time and costs some memory.
        return {"GOGC": "400", "GOMAXPROCS": "1", "DAPR_HOST_IP": LOOPBACK, **self.tokens(), **components}

    def command(
        self, daprd: Path, resources: Sequence[Path], configuration: Path | None, scheduler: int | None
    ) -> list[str]:
        """The command line of daprd; if the flow has no scheduler, daprd never waits for it."""
        app = ["--app-port", str(self.app), "--app-protocol", "http"] if self.app is not None else []
        return [
            *[str(daprd), "--app-id", self.app_id, *app],
            *["--dapr-http-port", str(self.http), "--dapr-grpc-port", str(self.grpc)],
            *[
                "--dapr-internal-grpc-port",
                str(self.internal),
                "--dapr-internal-grpc-listen-address",
                LOOPBACK,
            ],
            *["--metrics-port", str(self.metrics), "--metrics-listen-address", LOOPBACK],
            *["--dapr-listen-addresses", LOOPBACK, "--enable-profiling=false"],
            *[
                *(word for folder in resources for word in ("--resources-path", str(folder))),
                *(["--config", str(configuration)] if configuration else []),
            ],
            *[
                "--scheduler-host-address",
                f"{LOOPBACK}:{scheduler}" if scheduler else "",
                "--placement-host-address",
                "",
            ],
            # A batch of events is one request, so the default of 4 MiB would limit batches, not events.
            *["--max-body-size", "16Mi"],
            # At a stop, subscriptions end first and the API stays for 5 s, so that handlers under way can still commit.
            *["--dapr-block-shutdown-duration", "5s", "--dapr-graceful-shutdown-seconds", "10"],
            *["--log-level", os.environ.get("DAPR_LOG_LEVEL", "warn")],
        ]


def write_configuration(source: Path | None, target: Path, zipkin: str | None) -> Path | None:
    """Copy a Dapr Configuration and add this run's Zipkin address, which it cannot take from the environment."""
    if source is None or not source.exists():
        return None
    content: dict[str, Any] = yaml.safe_load(source.read_text())
    tracing: dict[str, Any] = content.setdefault("spec", {}).setdefault("tracing", {})
    tracing.pop("zipkin", None)  # without a Zipkin each sidecar would warn about every failed export
    if zipkin is not None:
        tracing["zipkin"] = {"endpointAddress": zipkin}
    target.write_text(yaml.safe_dump(content, sort_keys=False))
    return target


def write_guest_resources(source: Path, target: Path, app_id: str, topics: Sequence[str]) -> Path:
    """Write the resources for an app id outside the flow: the broker, without the store and the subscriptions."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.y*ml")):
        documents = [
            document
            for document in yaml.safe_load_all(file.read_text())
            if document and document.get("kind") == "Component" and document["spec"]["type"].startswith("pubsub.")
        ]
        for document in documents:
            _admit(document, app_id, topics)
        if documents:
            (target / file.name).write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return target


def _admit(component: dict[str, Any], app_id: str, topics: Sequence[str]) -> None:
    if component.get("scopes") and app_id not in component["scopes"]:
        component["scopes"].append(app_id)
    for item in component["spec"].get("metadata", []):
        if item["name"] == "publishingScopes" and topics:
            others = [grant for grant in item["value"].split(";") if grant.split("=")[0].strip() != app_id]
            item["value"] = ";".join([*others, f"{app_id}={','.join(topics)}"])
        if item["name"] == "allowedTopics":
            known = {topic.strip() for topic in item["value"].split(",")}
            item["value"] = ",".join(sorted(known.union(topics)))
