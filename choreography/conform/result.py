"""What a case found, and how it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

PASSED: Final = "passed"
FAILED: Final = "failed"
LEFT_OUT: Final = "left out"


class NotShownError(Exception):
    """A case cannot be shown here, such as a restart of a server that somebody else started."""


class NotMetError(Exception):
    """A component does not do what was asked of it."""


def require(holds: bool, told: str) -> None:
    """Say what is wrong unless something holds.

    Raises:
        NotMetError: it does not.
    """
    if not holds:
        raise NotMetError(told)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case.

    Attributes:
        case: the name of the case.
        outcome: passed, failed or left out.
        told: what was observed, or why it failed or was left out.
        seconds: how long it took.
    """

    case: str
    outcome: str
    told: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as kept in the results file."""
        return {"outcome": self.outcome, "told": self.told, "seconds": round(self.seconds, 1)}


@dataclass(frozen=True, slots=True)
class Case:
    """One question to a broker or a store.

    Attributes:
        name: what is asked, as a statement.
        ask: shows it or raises NotMetError; returns what was observed.
        must: whether the guarantee needs a yes; otherwise what is observed is only told.
    """

    name: str
    ask: Callable[[Any], Awaitable[str]]
    must: bool = True


@dataclass
class ConformReport:
    """All that was found about one component.

    Attributes:
        kind: broker or store.
        name: the component's file without its ending.
        type: the component's type.
        server: the server and its version, as far as it says.
        dapr: the sidecar's version.
        results: by the name of the case.
    """

    kind: str
    name: str
    type: str
    server: str
    dapr: str
    results: list[CaseResult] = field(default_factory=list)

    @property
    def failed(self) -> list[CaseResult]:
        """What failed."""
        return [one for one in self.results if one.outcome == FAILED]

    @property
    def left_out(self) -> list[CaseResult]:
        """What could not be shown here."""
        return [one for one in self.results if one.outcome == LEFT_OUT]

    def as_json(self) -> dict[str, Any]:
        """Return it as kept in the results file."""
        return {
            "kind": self.kind,
            "type": self.type,
            "server": self.server,
            "dapr": self.dapr,
            "cases": {one.case: one.as_json() for one in self.results},
        }
