"""Explores the engine itself: replicas of one service that crash, and operations with late, wrong or no responses.

Not here: the steps of a whole flow (`choreography.explore`), and the engine that is explored (`choreography.engine`).
"""

from choreography.explore.replicas.operation_faults import Budget
from choreography.explore.replicas.program import Program, as_shipped
from choreography.explore.replicas.scope import EngineFound, EngineResult, EngineScope, Situation

__all__ = ["Budget", "EngineFound", "EngineResult", "EngineScope", "Program", "Situation", "as_shipped"]
