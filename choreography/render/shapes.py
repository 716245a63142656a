"""The form of the documents in a sidecar's folder, as far as the rules here read them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Names(_Part):
    retry: str | None = None
    timeout: str | None = None
    circuitBreaker: str | None = None  # noqa: N815 - as the file has it


class _Target(_Part):
    inbound: _Names | None = None
    outbound: _Names | None = None


class _Targets(_Part):
    components: dict[str, _Target | None] | None = None


class _Retry(_Part):
    policy: str = "constant"
    maxRetries: int = -1  # noqa: N815 - as the file has it


class _Policies(_Part):
    retries: dict[str, _Retry | None] | None = None
    timeouts: dict[str, str | None] | None = None
    circuitBreakers: dict[str, dict[str, Any] | None] | None = None  # noqa: N815 - as the file has it


class _ResiliencySpec(_Part):
    policies: _Policies | None = None
    targets: _Targets | None = None


class _Setting(_Part):
    name: str


class _ComponentSpec(_Part):
    type: str
    version: str = "v1"
    metadata: list[_Setting] | None = None


class _Routes(_Part):
    default: str | None = None
    rules: list[dict[str, Any]] | None = None


class _Bulk(_Part):
    enabled: bool = False
    maxMessagesCount: int = 100  # noqa: N815 - as the file has it


class _SubscriptionSpec(_Part):
    pubsubname: str
    topic: str
    route: str | None = None
    routes: _Routes | None = None
    deadLetterTopic: str | None = None  # noqa: N815 - as the file has it
    bulkSubscribe: _Bulk | None = None  # noqa: N815 - as the file has it
    metadata: dict[str, Any] | None = None


class _Metadata(_Part):
    name: str
    annotations: dict[str, Any] | None = None


class _Document(_Part):
    metadata: _Metadata
    scopes: list[str] | None = None


class _Component(_Document):
    spec: _ComponentSpec


class _Resiliency(_Document):
    spec: _ResiliencySpec


class _Subscription(_Document):
    spec: _SubscriptionSpec


_KINDS: Final[Mapping[str, tuple[type[_Document], tuple[str, ...]]]] = {
    "Component": (_Component, ("dapr.io/v1alpha1",)),
    "Resiliency": (_Resiliency, ("dapr.io/v1alpha1",)),
    "Subscription": (_Subscription, ("dapr.io/v2alpha1", "dapr.io/v1alpha1")),
}
_OTHERS: Final = ("Configuration", "HTTPEndpoint", "MCPServer")


def misshapen(document: Mapping[str, Any]) -> str:
    """Return, in words, why a sidecar would misread a document, or an empty text."""
    kind, version = str(document.get("kind", "")), str(document.get("apiVersion", ""))
    if kind not in _KINDS:
        near = get_close_matches(kind, [*_KINDS, *_OTHERS], 1, cutoff=0.8)
        if kind in _OTHERS or not (near or version.startswith("dapr.io/")):
            return ""
        hint = f" Did you mean {near[0]}?" if near else ""
        known = ", ".join(_KINDS)
        return f"the kind {kind!r} is none that a sidecar reads, so it is ignored in silence.{hint} Write {known}."
    model, versions = _KINDS[kind]
    if version and version not in versions:
        meant = f"Write `apiVersion: {versions[0]}`."
        return f"its apiVersion is {version!r}, so a sidecar ignores this {kind} in silence. {meant}"
    try:
        model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        missing = first["type"] == "missing"
        what = f"it has no {place}" if missing else f"its {place} is {first['input']!r} ({first['msg']})"
        return f"{what}, so a sidecar cannot read this {kind} as it is meant. Mend it; components/ shows the shape."
    return ""
