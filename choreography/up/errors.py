"""What can go wrong while a machine is set up and a flow is started, each told as one clear text."""

from __future__ import annotations

from choreography.errors import ChoreographyError


class UpError(ChoreographyError):
    """The flow cannot be started or kept running on this machine."""


class MissingToolError(UpError):
    """A program the flow needs is not here and could not be obtained."""


class FlowFileError(UpError):
    """The multi-app run file of a flow cannot be understood."""


class ProcessDiedError(UpError):
    """A process ended without being asked to, or never became ready."""
