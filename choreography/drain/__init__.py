"""Shows that nothing is under way any more, so that a flow can be stopped or moved to another broker without loss."""

from __future__ import annotations

from choreography.drain.draining import Drained, drain
from choreography.drain.sight import DrainError, Sight, Standing, Where

__all__ = ["DrainError", "Drained", "Sight", "Standing", "Where", "drain"]
