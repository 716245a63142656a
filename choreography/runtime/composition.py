"""The composition root: makes each part of the way of a delivery with its dependencies, and changes none later.

The parts form a line, not a circle, because two queues stand between them. Deliveries wait in the group commit; intents
that are released wait in a queue of their own, from which the effects take them. An answer of the outside is one more
delivery, so it waits in the group commit like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from choreography.engine.backlog import Backlog
from choreography.engine.memory import Newcomers, Published
from choreography.engine.operations import Limits
from choreography.engine.settling import Settler
from choreography.runtime.clocks import Clocks
from choreography.runtime.deliveries import Deliveries
from choreography.runtime.driver import Driver
from choreography.runtime.effects import Effects, require_addresses
from choreography.runtime.group_commit import GroupCommit
from choreography.runtime.intake import Intake
from choreography.runtime.intents import Intents
from choreography.runtime.pipeline import Pipeline
from choreography.runtime.publishing import Publishing
from choreography.runtime.self_check import Canaries
from choreography.runtime.time_limit import time_limit
from choreography.service import Service
from choreography.settings import Settings
from choreography.sidecar.client import SidecarClient
from choreography.stores.opening import open_store
from choreography.stores.port import Store
from choreography.telemetry import Metrics
from choreography.tracing.recorder import Recorder
from choreography.tracing.spans import Spans

_SURE: Final = 100
"""So many events in a row must begin a record before the next are expected to. This saves 4 of an order's 12 reads."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of one service, in the order in which a delivery passes them, and the objects that they share."""

    deliveries: Deliveries
    intake: Intake
    pipeline: Pipeline
    commits: GroupCommit
    driver: Driver
    publishing: Publishing
    effects: Effects
    published: Published
    backlog: Backlog
    canaries: Canaries
    clocks: Clocks
    spans: Spans
    store: Store
    sidecar: SidecarClient
    limits: Limits
    metrics: Metrics


def compose(service: Service, settings: Settings, metrics: Metrics, recorder: Recorder | None) -> Runtime:
    """Make all parts of a service. Its lanes start to work at once; deliveries wait until the intake is open.

    Raises:
        ChoreographyError: an outside has no address, or the settings name a store that cannot serve this service.
    """
    require_addresses(service, settings.outsides)
    sidecar = SidecarClient(settings)
    store = open_store(service, settings, sidecar)
    limits = Limits(snapshot_reads=store.snapshot_reads)
    published = Published(limits.remembered)
    # A snapshot reads everything in one round trip, so leaving out a read would save nothing.
    newcomers = None if limits.snapshot_reads else Newcomers(_SURE)
    settler = Settler(service, limits, published, time_limit, settings.replica, newcomers=newcomers)

    intents, publishing = Intents(), Publishing(sidecar, limits)
    driver = Driver(store, sidecar, publishing, intents, metrics)
    commits = GroupCommit(settler, driver)
    pipeline = Pipeline(commits, driver, limits, published)
    effects = Effects(service, intents, pipeline, driver, publishing, published=published, outsides=settings.outsides)

    canaries = Canaries(service.name, store)
    clocks = Clocks(service.name, settings.replica, store, metrics, limits)
    spans = Spans(service.name, recorder, settings.sampling)
    backlog = Backlog(service.name, (one.event.wire_type for one in service.commands), settings.reminder)
    intake = Intake(service, pipeline, effects, canaries, metrics=metrics, spans=spans, clocks=clocks, backlog=backlog)
    deliveries = Deliveries(
        service,
        intake,
        concerns=settler.planner.concerns,
        names=sidecar.names,
        token=settings.app_token,
        intake_open=settings.intake_open,
    )
    return Runtime(
        deliveries=deliveries,
        intake=intake,
        pipeline=pipeline,
        commits=commits,
        driver=driver,
        publishing=publishing,
        effects=effects,
        published=published,
        backlog=backlog,
        canaries=canaries,
        clocks=clocks,
        spans=spans,
        store=store,
        sidecar=sidecar,
        limits=limits,
        metrics=metrics,
    )
