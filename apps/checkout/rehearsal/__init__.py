"""The rehearsal: many orders at once, good and bad, then proof that money and stock add up.

It only speaks HTTP to the running services, as customers and auditors would. It may be run again and again on
the same stores: every rule is about the difference between before and after.

Not here: killing processes (`faults`), and measuring (`bench`).
"""

from apps.checkout.rehearsal._rehearse import RunningFlow, rehearse

__all__ = ["RunningFlow", "rehearse"]
