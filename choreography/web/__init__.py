"""The web side of a service: deliveries from the sidecar, commands and views for people, health and metrics.

Not here: decisions (`choreography.engine`), and calls to the sidecar (`choreography.sidecar`).
"""

from choreography.web.serving import serve

__all__ = ["serve"]
