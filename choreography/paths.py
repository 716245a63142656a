"""Paths of the HTTP interface that the library answers for every service."""

from __future__ import annotations

from typing import Final

from choreography.errors import DeclarationError

_OURS: Final = (
    "/events",
    "/undelivered",
    "/job/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/dapr/",
)


def refuse_our_path(path: str, where: str) -> None:
    """Refuse a path that the library answers for every service.

    Raises:
        DeclarationError: the path is reserved.
    """
    if path.startswith(_OURS):
        raise DeclarationError(
            f"{where} is at {path!r}, which every service keeps for its sidecar, its health or its documentation. "
            "Choose a path of its own, such as /orders."
        )
