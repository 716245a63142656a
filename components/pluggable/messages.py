"""The messages between a sidecar and a component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to publish."""

    topic: str
    data: bytes
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why an event was not published, and whether the same event would fail for the same reason again."""

    why: str
    lasting: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for the sidecar, under the id of its later answer."""

    id: str
    data: bytes
    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
