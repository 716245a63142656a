"""The rules about the processes themselves: each counts every delivery, and no hostile event ends one."""

from __future__ import annotations

from collections.abc import Iterable

from faults.audit.evidence import Evidence
from faults.audit.finding import Finding


def judge(evidence: Evidence) -> Iterable[Finding]:
    """Judge every rule of this module. A process loses its counters when it ends, so each life is judged by itself."""
    if evidence.accounts:
        unlawful = [
            f"{one.process}: {one.taken} taken, {one.ended} ended, {one.in_hand} in hand"
            for one in evidence.accounts
            if not one.is_lawful
        ]
        taken = sum(one.taken for one in evidence.accounts)
        yield Finding("Every delivery ended in one way that is counted", "lost", taken, unlawful)
    if evidence.attacks:
        yield from _attacks(evidence)


def _attacks(evidence: Evidence) -> Iterable[Finding]:
    ended = [
        f"{name}: process {pid}, then {one.after.get(name)}"
        for one in evidence.attacks
        for name, pid in one.before.items()
        if one.after.get(name) != pid
    ]
    yield Finding(
        "No process ends over hostile events", "lost", sum(len(one.before) for one in evidence.attacks), ended
    )
    untaken = [place for one in evidence.attacks for place in one.untaken]
    yield Finding("Hostile events are taken in time", "pending", len(evidence.attacks), untaken)
    ignored = [(name, *counts) for one in evidence.attacks for name, counts in one.ignored.items()]
    uncounted = [
        f"{name}: {least} were sent, {after - before} are counted"
        for name, before, after, least in ignored
        if after - before < least
    ]
    yield Finding("What nobody hears is counted by its type", "lost", sum(one[3] for one in ignored), uncounted)
