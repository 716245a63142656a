"""Whether a confirm of the broker can be trusted: some components of the sidecar report "published" without knowing."""

from __future__ import annotations

from typing import Any, Final

from choreography.sidecar.client import SidecarClient

UNSURE: Final = frozenset({"pubsub.rabbitmq"})
"""Components that report a publish as done although the connection broke before the broker confirmed it, or although
the broker refused it (pubsub/rabbitmq of Dapr 1.18 logs both and returns no error)."""


async def are_sure(sidecar: SidecarClient) -> bool:
    """Tell whether every broker of a sidecar has confirms that can be trusted. An unknown broker has not."""
    status, told = await sidecar.get("/v1.0/metadata")
    components: Any = told.get("components") if status == 200 and isinstance(told, dict) else None
    kinds = {str(one.get("type", "")) for one in components or () if isinstance(one, dict)}
    brokers = {kind for kind in kinds if kind.startswith("pubsub.")}
    return bool(brokers) and not brokers & UNSURE
