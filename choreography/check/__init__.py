"""Finds what is wrong between services before any of them runs: `choreography check FLOW`.

Each service may be right by itself and the flow wrong all the same: an event nobody hears, a wait that nothing ends, a
contract that its consumer misreads. All of it follows from the declarations, and nothing is started to find it.

Not here: how the facts are found (`choreography.analysis`), and what only the order of events shows
(`choreography.explore`).
"""

from choreography.check.checking import check, judge_services
from choreography.check.finding import CheckReport, Finding, Rule
from choreography.check.rules import RULES
from choreography.check.safety import refuse_unsafe

__all__ = ["RULES", "CheckReport", "Finding", "Rule", "check", "judge_services", "refuse_unsafe"]
