"""Suppressed findings: a person names each of them, with a reason, in `check.toml` beside the services."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from choreography.check.finding import CheckError, Finding, Found

FILE: Final = "check.toml"
UNUSED: Final = "CHO901"
UNREASONED: Final = "CHO902"

_SHORTEST_REASON: Final = 10
_WORDS: Final = ("rule", "about", "reason")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One known finding, and the reason why it stays."""

    rule: str
    about: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Tell whether it names this finding."""
        return (self.rule, self.about) == (finding.code, finding.about)


def read_suppressions(folder: Path, known: Iterable[str]) -> tuple[Suppression, ...]:
    """Read the suppressions of a flow.

    Raises:
        CheckError: the file is invalid, or names an unknown rule.
    """
    path = folder / FILE
    if not path.exists():
        return ()
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckError(
            f"{path} cannot be read as TOML ({error}), so no finding can be suppressed. Mend it."
        ) from error
    if stray := sorted(content.keys() - {"suppress"}):
        raise _misshapen(path, f"has {stray[0]!r}")
    if not isinstance(content.get("suppress", []), list):
        raise _misshapen(path, f"has suppress = {content['suppress']!r}")
    return tuple(_suppression(path, entry, set(known)) for entry in content.get("suppress", ()))


def _suppression(path: Path, entry: Any, known: set[str]) -> Suppression:
    if not isinstance(entry, dict) or not entry.keys() <= set(_WORDS) or not {"rule", "about"} <= entry.keys():
        raise _misshapen(path, f"has the entry {entry!r}")
    if entry["rule"] not in known:
        raise CheckError(
            f"{path} suppresses {entry['rule']!r}, which is no rule, so it would never apply. "
            f"Rules are {', '.join(sorted(known))}."
        )
    return Suppression(*(str(entry.get(word, "")).strip() for word in _WORDS))


def _misshapen(path: Path, what: str) -> CheckError:
    return CheckError(
        f"{path} {what}, which is no suppression, so it would be passed over in silence. Write "
        '[[suppress]] with rule = "CHO...", about = "...", as the finding names it, and reason = "...".'
    )


def apply(
    findings: Iterable[Finding], suppressions: Sequence[Suppression]
) -> tuple[list[Finding], list[tuple[Finding, str]]]:
    """Separate the findings that stand from those that are suppressed, with the reason."""
    standing: list[Finding] = []
    suppressed: list[tuple[Finding, str]] = []
    for finding in findings:
        reason = next((one.reason for one in suppressions if one.covers(finding) and _reasoned(one)), None)
        if reason is None:
            standing.append(finding)
        else:
            suppressed.append((finding, reason))
    return standing, suppressed


def faults(
    suppressions: Iterable[Suppression], findings: Sequence[Finding], at: Path | None
) -> Iterator[tuple[str, Found]]:
    """Yield the faults of the suppressions themselves, each with the code of its rule."""
    for one in suppressions:
        name = f"{one.rule} about {one.about}"
        if not _reasoned(one):
            yield (
                UNREASONED,
                Found(
                    f"{one.rule}:{one.about}",
                    f"The suppression of {name} gives no reason, so it does not apply.",
                    "Say in a sentence why the finding does not matter here.",
                    at,
                ),
            )
        elif not any(one.covers(finding) for finding in findings):
            yield (
                UNUSED,
                Found(
                    f"{one.rule}:{one.about}",
                    f"The suppression of {name} suppresses nothing: there is no such finding (any more).",
                    "Delete it.",
                    at,
                ),
            )


def _reasoned(one: Suppression) -> bool:
    return len(one.reason) >= _SHORTEST_REASON
