"""Judges the evidence, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable

from faults.audit import books, counting, letters, poison
from faults.audit.evidence import Evidence
from faults.audit.finding import Finding
from faults.audit.replay import replay

__all__ = ["Finding", "judge"]


def judge(evidence: Evidence) -> list[Finding]:
    """Judge every rule."""
    pages = (books, letters, poison, counting)
    return [*(finding for page in pages for finding in page.judge(evidence)), *_replayed(evidence)]


def _replayed(evidence: Evidence) -> Iterable[Finding]:
    reports = [replay(evidence.by_identity, store) for store in evidence.stores.values()]
    steps = sum(report.steps for report in reports)
    forks = [one for report in reports for one in report.forks]
    differs = [one for report in reports for one in report.differs]
    left = [one for report in reports for one in report.left]
    yield Finding("Versions have no gap and no fork", "doubled", steps, forks)
    yield Finding("State and words equal a pure replay", "doubled", steps, differs)
    yield Finding("Terminal states are never left", "wrong", steps, left)
