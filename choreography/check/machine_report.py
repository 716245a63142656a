"""A report for a program: JSON of our own, and SARIF 2.1.0 for code scanning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from choreography.check.finding import CheckReport, Finding, Rule

_SARIF_VERSION: Final = "2.1.0"


def as_json(report: CheckReport) -> str:
    """Return a report as JSON, the same for the same findings."""
    return _text(
        {
            "flow": report.flow,
            "services": list(report.services),
            "findings": [asdict(finding) for finding in report.findings],
            "suppressed": [asdict(finding) | {"reason": reason} for finding, reason in report.suppressed],
            "deploy": list(report.deploy),
            "connections": list(report.connections),
            "sampled": list(report.sampled),
        }
    )


def as_sarif(report: CheckReport, rules: Iterable[Rule]) -> str:
    """Return a report as SARIF; it includes suppressed findings with their reasons."""
    rules = list(rules)
    places = {rule.code: place for place, rule in enumerate(rules)}
    results = [_result(finding, places) for finding in report.findings]
    results += [
        _result(finding, places) | {"suppressions": [{"kind": "external", "justification": reason}]}
        for finding, reason in report.suppressed
    ]
    driver = {"name": "choreography check", "rules": [_rule(rule) for rule in rules]}
    if number := _version():
        driver["version"] = number
    return _text(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": _SARIF_VERSION,
            "runs": [
                {
                    "tool": {"driver": driver},
                    "columnKind": "unicodeCodePoints",
                    "results": results,
                    "invocations": [_invocation(report)],
                }
            ],
        }
    )


def _invocation(report: CheckReport) -> dict[str, Any]:
    notes = [{"level": "note", "message": {"text": sentence}} for sentence in report.sampled]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.title.replace("-", " ").split()),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "defaultConfiguration": {"level": "error"},
    }


def _result(finding: Finding, places: dict[str, int]) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": finding.about}]}
    if finding.file:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": finding.file, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": max(1, finding.line)},
        }
    # Neither the line nor the wording counts: a finding stays the same while its code moves.
    fingerprint = hashlib.sha256(f"{finding.code} {finding.about}".encode()).hexdigest()[:32]
    return {
        "ruleId": finding.code,
        "ruleIndex": places[finding.code],
        "level": "error",
        "message": {"text": f"{finding.what} {finding.why} {finding.do}"},
        "locations": [location],
        "partialFingerprints": {"choreography/v1": fingerprint},
    }


def _version() -> str:
    try:
        return version("choreography")
    except PackageNotFoundError:
        return ""


def _text(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
