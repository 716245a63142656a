"""The engine itself under exploration: replicas of one service that die, are answered late, wrongly or not at all.

Not here: the steps of a whole flow (`choreography.explore`), and the engine that is explored (`choreography.engine`).
"""

from choreography.explore.replicas.operation_faults import Budget
from choreography.explore.replicas.program import Program, as_shipped
from choreography.explore.replicas.scope import EngineFound, EngineResult, EngineScope, Situation

__all__ = ["Budget", "EngineFound", "EngineResult", "EngineScope", "Program", "Situation", "as_shipped"]
