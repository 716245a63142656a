"""HTTP for people and other programs: commands, views, lists, health and metrics.

Not here: deliveries and fired jobs, which come from the sidecar (`choreography.runtime`), and decisions
(`choreography.engine`).

``serving.py`` is the process, and ``app.py`` sends each request to the part that serves it. A command is judged by
``admission.py``, made an event in ``commands.py``, recorded and published by ``command_lane.py``, and looked after by
``looking_after.py`` until that event has an outcome. FastAPI (``framework.py``) serves everything else.
"""

from choreography.web.serving import serve

__all__ = ["serve"]
