"""A real Kubernetes with Dapr on one machine, for tests and for trying things out.

If docker and kind are available, kind makes the cluster. Otherwise it consists of Kubernetes' own programs, built from
Go modules.

Not here: running a flow without Kubernetes (`choreography.up`), and the files that a user installs (`helm`, `k8s`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lab import kind, tools
from lab.cluster import Cluster, CommandError
from lab.own import own_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from choreography.progress import Progress

__all__ = ["Cluster", "CommandError", "obtain", "running"]


def obtain(progress: Progress) -> None:
    """Find or build all programs of a cluster. The first time takes a quarter of an hour, so do it before the tests."""
    if not kind.answers():
        tools.prepare(progress)


@asynccontextmanager
async def running(folder: Path, progress: Progress) -> AsyncIterator[Cluster]:
    """Run a cluster with Dapr and with our image, made by kind or by ourselves."""
    make = kind.kind_cluster if kind.answers() else own_cluster
    async with make(folder, progress) as cluster:
        yield cluster
