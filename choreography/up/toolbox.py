"""Finds or obtains every program that a flow needs, and reports its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from choreography.up import dapr, servers
from choreography.up.brokers import BROKERS, BrokerServer
from choreography.up.databases import DATABASES, Installed
from choreography.up.errors import MissingToolError, UpError
from choreography.up.keeping import STORES

if TYPE_CHECKING:
    from pathlib import Path

    from choreography.progress import Progress


@dataclass(frozen=True)
class Tools:
    """The programs for one kind of flow; None for a program that is not needed, and for an unavailable Zipkin."""

    daprd: Path
    scheduler: Path
    broker: BrokerServer
    database: Installed | None
    zipkin: servers.Zipkin | None


def prepare(progress: Progress, *, broker: str = "redis", store: str = "sqlite", zipkin: bool = True) -> Tools:
    """Find or obtain the programs for a flow on this broker and store.

    Small programs come first, so that a missing one is reported before a build of minutes, not after it.
    """
    _known("broker", broker, tuple(BROKERS))
    _known("store", store, tuple(STORES))
    server = BROKERS[broker](progress)
    database = DATABASES[needed](progress) if (needed := STORES[store].server) else None
    traces = _zipkin_if_possible(progress) if zipkin else None
    daprd, scheduler = dapr.find_or_build(progress)
    return Tools(daprd, scheduler, server, database, traces)


def _zipkin_if_possible(progress: Progress) -> servers.Zipkin | None:
    """Return Zipkin if it is available: traces are useful, but no flow may depend on them."""
    try:
        return servers.find_zipkin(progress)
    except MissingToolError as error:
        progress.note(f"Going on without traces. {error}")
        return None


def _known(kind: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise UpError(
            f"The {kind} {name!r} cannot be started here, so the flow would have nothing to run on. "
            f"Choose one of: {', '.join(names)}."
        )
