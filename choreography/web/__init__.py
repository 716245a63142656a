"""HTTP for people and other programs: commands, views, lists, health and metrics.

Not here: deliveries and fired jobs, which come from the sidecar (`choreography.runtime`), and decisions
(`choreography.engine`).

``serving.py`` runs the process, and ``app.py`` sends each request to the part that serves it. ``admission.py`` judges a
command, ``commands.py`` makes it an event, ``command_lane.py`` records and publishes the event, and
``looking_after.py`` checks it until it has an outcome. FastAPI (``framework.py``) serves everything else.
"""

from choreography.web.serving import serve

__all__ = ["serve"]
