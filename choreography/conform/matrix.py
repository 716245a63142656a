"""The results of all components, kept as JSON and rendered as the matrix in the docs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from choreography.conform.broker_cases import BROKER_CASES
from choreography.conform.database_cases import DATABASE_CASES
from choreography.conform.result import FAILED, LEFT_OUT, PASSED, Case, ConformReport
from choreography.conform.store_cases import STORE_CASES
from choreography.render.marked_block import put_between

_BEGIN: Final = "<!-- results: begin -->"
_END: Final = "<!-- results: end -->"
_MARKS: Final = {PASSED: "✓", FAILED: "**✗**", LEFT_OUT: "not shown"}


def keep(report: ConformReport, file: Path, day: str) -> None:
    """Write a report's results into the file; they replace earlier results of this component."""
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    new = report.as_json()
    # A run may leave out some cases.
    new["cases"] = known.get(report.name, {}).get("cases", {}) | new["cases"]
    known[report.name] = {"day": day} | new
    file.write_text(json.dumps(dict(sorted(known.items())), indent=2, ensure_ascii=False) + "\n")


def tables(results: Mapping[str, Any]) -> str:
    """Return all known results as Markdown."""
    parts = []
    for kind, title, cases in (
        ("broker", "Brokers", BROKER_CASES),
        ("database", "Databases, spoken to by services themselves", (*STORE_CASES, *DATABASE_CASES)),
        ("store", "Stores of sidecars", STORE_CASES),
    ):
        told = {name: one for name, one in results.items() if one["kind"] == kind}
        if told:
            parts += [f"### {title}", _matrix(told, cases), _observed(told, cases)]
    return "\n\n".join(parts)


def write_into(document: Path, results: Mapping[str, Any]) -> None:
    """Replace the tables in a document, and change nothing else in it."""
    put_between(document, _BEGIN, _END, tables(results))


def _matrix(results: Mapping[str, Any], cases: Sequence[Case]) -> str:
    names = list(results)
    rows = [
        ["", *names],
        ["---"] * (len(names) + 1),
        ["component", *(f"`{one['type']}`" for one in results.values())],
        ["server", *(one["server"] for one in results.values())],
        ["sidecar", *(one["dapr"] for one in results.values())],
        ["last run", *(one["day"] for one in results.values())],
    ]
    rows += [
        [case.name, *(_mark(one["cases"].get(case.name)) for one in results.values())] for case in cases if case.must
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _observed(results: Mapping[str, Any], cases: Sequence[Case]) -> str:
    lines = ["What was seen:", ""]
    for case in cases:
        lines.append(f"- **{case.name}**")
        for name, one in results.items():
            result = one["cases"].get(case.name)
            if result:
                lines.append(f"  - {name}: {'FAILED: ' if result['outcome'] == FAILED else ''}{result['told']}")
    return "\n".join(lines)


def _mark(result: Mapping[str, Any] | None) -> str:
    return _MARKS[result["outcome"]] if result else ""
