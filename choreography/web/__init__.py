"""The web side of a service: deliveries from the sidecar, commands and views for people, health and metrics."""

from choreography.web.serving import serve

__all__ = ["serve"]
