"""All faults of a run: each begins, lasts, and heals within one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from faults import attack, bad_provider, crashes, disks, messages, wires
from faults.replicated_flow import Stage

SERVICES: Final = ("order", "inventory", "billing", "shipping", "notification")


@dataclass(frozen=True)
class Fault:
    """One fault of a run.

    Attributes:
        kind: its group in the picture.
        short: whether it is in the short run.
    """

    name: str
    kind: str
    do: Callable[[Stage], Awaitable[None]]
    short: bool = False


def menu() -> list[Fault]:
    """Return every fault of the first act, in the order in which they run."""
    return [
        *(Fault(f"kill -9 {one}", "crash", crashes.of_service(one), short=one == "billing") for one in SERVICES),
        *(
            Fault(f"kill -9 {one}'s sidecar", "crash", crashes.of_sidecar(one), short=one == "order")
            for one in SERVICES
        ),
        Fault("kill -9 all services", "crash", crashes.of_all_services, short=True),
        Fault("kill -9 all sidecars", "crash", crashes.of_all_sidecars),
        Fault("kill -9 the broker", "crash", crashes.of_server("redis"), short=True),
        Fault("kill -9 the database", "crash", crashes.of_server("postgres"), short=True),
        Fault("restart the database at once", "crash", crashes.restarted_at_once("postgres")),
        Fault("kill -9 the scheduler", "crash", crashes.of_server("scheduler"), short=True),
        *(Fault(f"freeze {one}", "freeze", crashes.frozen(one), short=one == "inventory") for one in SERVICES),
        *(Fault(f"freeze {one}'s sidecar", "freeze", crashes.frozen_sidecar(one)) for one in ("order", "shipping")),
        Fault("store cut", "wire", wires.cut("store")),
        Fault("store slow", "wire", wires.late("store", 0.1)),
        Fault("store silent", "wire", wires.silent("store")),
        Fault("store loses answers", "wire", wires.loses_answers("store"), short=True),
        Fault("broker cut", "wire", wires.cut("broker"), short=True),
        Fault("broker slow", "wire", wires.late("broker", 0.1)),
        Fault("broker silent", "wire", wires.silent("broker")),
        Fault("broker loses answers", "wire", wires.loses_answers("broker"), short=True),
        Fault("every event twice", "events", messages.twice, short=True),
        *(
            Fault(f"events reversed for {one}", "events", messages.reversed_for(one), short=one == "shipping")
            for one in SERVICES
        ),
        Fault("first events lost", "events", messages.first_events_lost, short=True),
        Fault("poison events", "events", messages.poison, short=True),
        Fault("hostile events by every route", "events", attack.by_every_route),
        Fault("provider answers 500", "provider", bad_provider.answers_500),
        Fault("provider slow", "provider", bad_provider.slow),
        Fault("provider down", "provider", bad_provider.down),
        Fault("provider charges, then hangs", "provider", bad_provider.charges_then_hangs, short=True),
    ]


def on_small_disks() -> list[Fault]:
    """Return every fault of the second act, which runs on disks so small that they can be filled."""
    return [
        Fault("the broker's disk is full", "disk", disks.full("redis")),
        Fault("the database's disk is full", "disk", disks.full("postgres")),
    ]
