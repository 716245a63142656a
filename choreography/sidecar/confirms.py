"""Whether the broker's word can be taken: some components of the sidecar say "published" when they do not know."""

from __future__ import annotations

from typing import Any, Final

from choreography.sidecar.client import SidecarClient

UNSURE: Final = frozenset({"pubsub.rabbitmq"})
"""Components that report a publish as done although the connection broke before the broker confirmed it, or although
the broker refused it (pubsub/rabbitmq of Dapr 1.18 logs both and returns no error)."""


async def are_sure(sidecar: SidecarClient) -> bool:
    """Tell whether each broker of a sidecar is one whose confirms mean something. Unknown is no."""
    status, told = await sidecar.get("/v1.0/metadata")
    components: Any = told.get("components") if status == 200 and isinstance(told, dict) else None
    kinds = {str(one.get("type", "")) for one in components or () if isinstance(one, dict)}
    brokers = {kind for kind in kinds if kind.startswith("pubsub.")}
    return bool(brokers) and not brokers & UNSURE
