"""The auditor: reads store, provider and broker behind everybody's back, and believes nothing that is not written down.

It shares no code with the engine. It knows the declarations of the services, since what they say is what must have
happened, and the form in which outcomes are stored, since that is a promise to auditors.

Not here: causing faults (`faults`).
"""

from faults.audit.evidence import Evidence, Seen, gather
from faults.audit.judging import Finding, judge

__all__ = ["Evidence", "Finding", "Seen", "gather", "judge"]
