"""Runs a flow on this machine as plain processes: finds every program it needs, starts, watches and stops them.

Only this package knows which programs a flow needs. The command line and the integration tests both use it, so the
tests run the same programs as a reader of the README.

Not here: a Kubernetes cluster (`lab`), and faults of running processes (`faults`, which starts its flow with this
package).
"""

from __future__ import annotations

from choreography.up.errors import (
    FlowFileError,
    MissingToolError,
    ProcessDiedError,
    UnknownNameError,
    UpError,
)
from choreography.up.flowfile import App, FlowFile, read_flow
from choreography.up.running_flow import RunningFlow
from choreography.up.sidecars import SidecarAddress
from choreography.up.toolbox import Tools, prepare

__all__ = [
    "App",
    "FlowFile",
    "FlowFileError",
    "MissingToolError",
    "ProcessDiedError",
    "RunningFlow",
    "SidecarAddress",
    "Tools",
    "UnknownNameError",
    "UpError",
    "prepare",
    "read_flow",
]
