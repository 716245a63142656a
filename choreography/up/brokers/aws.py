"""SNS and SQS, emulated."""

from __future__ import annotations

from dataclasses import dataclass

from choreography.progress import Progress
from choreography.up.brokers import moto


@dataclass(frozen=True)
class Aws(moto.Emulated):
    """Starts an emulator of AWS."""

    name: str = "aws"
    forgets: str = moto.FORGETS


def find_aws(progress: Progress) -> Aws:
    """The emulator of this Python environment."""
    moto.require_moto(progress)
    return Aws()
