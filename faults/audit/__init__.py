"""The auditor: reads store, provider and broker directly, and believes only records.

It shares no code with the engine. It knows the declarations of the services, because the declared reactions must have
happened, and the stored form of outcomes, because this form is promised to auditors.

Not here: causing faults (`faults`).
"""

from faults.audit.evidence import Evidence, Seen, gather
from faults.audit.judging import Finding, judge

__all__ = ["Evidence", "Finding", "Seen", "gather", "judge"]
