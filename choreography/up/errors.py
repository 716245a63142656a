"""What can go wrong while a machine is set up and a flow is started, each told as one clear text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from choreography.errors import ChoreographyError

if TYPE_CHECKING:
    from collections.abc import Iterable


class UpError(ChoreographyError):
    """The flow cannot be started or kept running on this machine."""


class MissingToolError(UpError):
    """A program the flow needs is not here and could not be obtained."""


class FlowFileError(UpError):
    """The multi-app run file of a flow cannot be understood."""


class ProcessDiedError(UpError):
    """A process ended without being asked to, or never became ready."""


class UnknownNameError(UpError, LookupError):
    """Something was asked of a process that is not part of this run."""

    @classmethod
    def of(cls, name: str, kind: str, known: Iterable[str]) -> Self:
        """Say which names there are instead."""
        return cls(f"There is no {kind} called {name!r} in this run. Known are: {', '.join(known) or 'none'}.")
