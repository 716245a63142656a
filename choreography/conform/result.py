"""The result of a case, and its text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

PASSED: Final = "passed"
FAILED: Final = "failed"
LEFT_OUT: Final = "left out"


class NotShownError(Exception):
    """A case is impossible here, such as a restart of a server that another program started."""


class NotMetError(Exception):
    """A component does not meet a requirement."""


def require(holds: bool, told: str) -> None:
    """Raise an error with this text unless the condition holds.

    Raises:
        NotMetError: the condition does not hold.
    """
    if not holds:
        raise NotMetError(told)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one case.

    Attributes:
        case: the name of the case.
        outcome: passed, failed or left out.
        told: the observation, or the reason why it failed or was left out.
        seconds: its duration.
    """

    case: str
    outcome: str
    told: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the result in the form of the results file."""
        return {"outcome": self.outcome, "told": self.told, "seconds": round(self.seconds, 1)}


@dataclass(frozen=True, slots=True)
class Case:
    """One question to a broker or a store.

    Attributes:
        name: the requirement, as a statement.
        ask: shows it or raises NotMetError; returns the observation.
        must: whether the guarantee needs it; otherwise the observation is only reported.
    """

    name: str
    ask: Callable[[Any], Awaitable[str]]
    must: bool = True


@dataclass
class ConformReport:
    """All results of one component.

    Attributes:
        kind: broker or store.
        name: the component's file without its ending.
        type: the component's type.
        server: the server and its version, if it reports one.
        dapr: the sidecar's version.
        results: the results by the name of the case.
    """

    kind: str
    name: str
    type: str
    server: str
    dapr: str
    results: list[CaseResult] = field(default_factory=list)

    @property
    def failed(self) -> list[CaseResult]:
        """The failed cases."""
        return [one for one in self.results if one.outcome == FAILED]

    @property
    def left_out(self) -> list[CaseResult]:
        """The cases that could not be shown here."""
        return [one for one in self.results if one.outcome == LEFT_OUT]

    def as_json(self) -> dict[str, Any]:
        """Return the report in the form of the results file."""
        return {
            "kind": self.kind,
            "type": self.type,
            "server": self.server,
            "dapr": self.dapr,
            "cases": {one.case: one.as_json() for one in self.results},
        }
