"""Shows that nothing is under way any more, so that a flow can be stopped or moved to another broker without loss.

Not here: creating the topics of the next broker (`choreography.provision`), and moving a cluster's release (`helm`).
"""

from __future__ import annotations

from choreography.drain.draining import Drained, drain
from choreography.drain.sight import DrainError, Sight, Standing, Where

__all__ = ["DrainError", "Drained", "Sight", "Standing", "Where", "drain"]
