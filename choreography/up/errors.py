"""Errors while a machine is set up and a flow is started, each with one clear message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from choreography.errors import ChoreographyError

if TYPE_CHECKING:
    from collections.abc import Iterable


class UpError(ChoreographyError):
    """The flow cannot be started or kept running on this machine."""


class MissingToolError(UpError):
    """A program that the flow needs is missing and could not be obtained."""


class FlowFileError(UpError):
    """The multi-app run file of a flow is invalid."""


class ProcessDiedError(UpError):
    """A process ended unexpectedly, or never became ready."""


class UnknownNameError(UpError, LookupError):
    """The named process is not part of this run."""

    @classmethod
    def of(cls, name: str, kind: str, known: Iterable[str]) -> Self:
        """Return an error that lists the known names."""
        return cls(f"There is no {kind} called {name!r} in this run. Known are: {', '.join(known) or 'none'}.")
