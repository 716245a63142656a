"""Checks a flow against every rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from choreography.analysis.lock import read_lock
from choreography.analysis.promises import Lock
from choreography.analysis.wiring import Wiring
from choreography.check import suppressions as known
from choreography.check.files import connections
from choreography.check.finding import CheckedFlow, CheckReport, Finding, finding
from choreography.check.rules import RULES
from choreography.check.suppressions import Suppression
from choreography.check.versions import deploy_order
from choreography.flow import package_of, services_of
from choreography.service import Service

_BY_CODE = {rule.code: rule for rule in RULES}


def check(flow: str, at_work: Callable[[str], None] = lambda _: None) -> CheckReport:
    """Check a flow, given as ``apps.checkout`` or by its folder, and report the current step meanwhile.

    Raises:
        CheckError: the file of suppressions is invalid.
        ChoreographyError: there is no such flow, a service cannot be imported, or it contradicts itself.
    """
    package = package_of(flow)
    services = services_of(flow)
    for service in services:
        service.check()
    folder = Path(package.__path__[0])
    root = folder.parents[package.__name__.count(".")]
    checked = CheckedFlow(Wiring(services), read_lock(folder), folder, root, at_work)
    return _report(package.__name__, checked, known.read_suppressions(folder, _BY_CODE))


def judge_services(
    *services: Service,
    lock: Lock | None = None,
    suppressions: Sequence[Suppression] = (),
    flow: str = "in memory",
) -> CheckReport:
    """Check services that were made in memory: with every rule except those about files."""
    return _report(flow, CheckedFlow(Wiring(services), lock), suppressions)


def _report(flow: str, checked: CheckedFlow, suppressions: Sequence[Suppression]) -> CheckReport:
    found = _findings(checked)
    standing, suppressed = known.apply(found, suppressions)
    file = checked.folder / known.FILE if checked.folder else None
    faults = [finding(_BY_CODE[code], fault, checked.root) for code, fault in known.faults(suppressions, found, file)]
    names = tuple(service.name for service in checked.services)
    findings = tuple(sorted({*standing, *faults}))
    told = (deploy_order(checked.wiring), connections(checked), checked.sampled)
    return CheckReport(flow, names, findings, tuple(sorted(suppressed)), len(RULES), *told)


def _findings(checked: CheckedFlow) -> list[Finding]:
    return sorted({finding(rule, found, checked.root) for rule in RULES for found in rule.look(checked)})
