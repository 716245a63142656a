"""Finds faults between services before any of them runs: `choreography check FLOW`.

Each service may be right by itself and the flow wrong all the same: an event that nobody consumes, a wait that nothing
ends, a contract that its consumer misreads. All of these follow from the declarations, so no process is started to find
them.

Not here: how the facts are found (`choreography.analysis`), and faults that only an order of events shows
(`choreography.explore`).
"""

from choreography.check.checking import check, judge_services
from choreography.check.finding import CheckReport, Finding, Rule
from choreography.check.rules import RULES
from choreography.check.safety import refuse_unsafe

__all__ = ["RULES", "CheckReport", "Finding", "Rule", "check", "judge_services", "refuse_unsafe"]
