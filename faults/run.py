"""One act: start everything, send orders, cause one fault after another, wait, and let the auditor judge."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from choreography.progress import Progress
from choreography.up import ProcessDiedError, Tools
from faults.audit import Finding, Seen, gather, judge
from faults.audit.evidence import Books, waiting
from faults.menu import Fault
from faults.orders import HOT, PLENTY, SHELVES, Customers
from faults.replicated_flow import OVERDUE, PROVIDER, SkippedError, Stage, call_off, raised
from faults.show import Show
from faults.watching import Suffered, Watch

_QUIET: Final = 240.0
_CALM_FOR: Final = 3
"""How many looks in a row must find nothing to do before the quiet time is over."""


@dataclass(frozen=True)
class Act:
    """The settings of an act."""

    title: str
    faults: Sequence[Fault]
    per_second: float
    least: int
    """Orders to send, also when the faults are through before."""
    healthy: float
    seed: int
    folder: Path
    defect: str = ""
    """A defect that every service is started with, to see whether the auditor notices."""


@dataclass
class Played:
    """The results of an act."""

    act: Act
    watch: Watch
    findings: list[Finding] = field(default_factory=list)
    sent: int = 0
    accepted: int = 0
    ended: int = 0
    quarantined: int = 0
    lost_answers: int = 0
    copies: int = 0
    ended_by_themselves: list[str] = field(default_factory=list)

    @property
    def suffered(self) -> list[Suffered]:
        """The faults that happened."""
        return [one for one in self.watch.faults if not one.skipped]


async def play(act: Act, tools: Tools, progress: Progress, show: Show) -> Played:
    """Run one act and return the auditor's findings."""
    played = Played(act, Watch())
    try:
        await _play(played, tools, progress, show)
    except ProcessDiedError as death:
        # The flow raises this at the very end; the auditor has seen its effect on the orders by then.
        if not played.findings:
            raise
        played.ended_by_themselves.append(str(death).partition(",")[0])
    return played


async def _play(played: Played, tools: Tools, progress: Progress, show: Show) -> None:
    act, watch = played.act, played.watch
    chance = random.Random(act.seed)  # noqa: S311 - the same seed must make the same choices
    async with raised(act.folder, tools, progress, chance, act.defect) as stage:
        doors = [stage.flow.address(name) for name in stage.replicas("order")]
        customers = Customers(stage.session, doors, chance, f"{act.seed:x}-{time.time_ns():x}")
        delivered = await _stock(stage, act)
        watch.began = time.monotonic()
        async with _watched(stage, customers, watch), _shown(show, customers, watch, stage):
            most = max(2 * act.least, int(len(act.faults) * 60 * act.per_second))
            ordering = asyncio.create_task(customers.order(act.per_second, act.least, most, watch.ends))
            try:
                await _hurt(stage, act, watch, show)
                # A stuck flow accepts no more orders; then the auditor must report this, and not this line.
                with suppress(TimeoutError):
                    async with asyncio.timeout(60 + 3 * act.least / act.per_second - watch.now):
                        await customers.enough.wait()
            finally:
                await call_off(ordering)
            show.phase("quiet: customers go home, the flow may finish")
            await customers.go_home()
            await _quiet(stage, customers, watch)
            await asyncio.sleep(OVERDUE + 5)
            show.phase("the auditor reads every book")
            # Sidecars may deliver a deadline late, by one retry; so only deadlines that were due earlier are judged.
            now = (datetime.now(UTC) - timedelta(seconds=10)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            seen = Seen(customers.orders, watch.ends, _lateness(customers, watch), delivered, now)
            played.findings = judge(await gather(_books(stage), seen))
        played.sent, played.accepted, played.ended = len(customers.orders), customers.accepted, len(watch.ends)
        played.quarantined = len(stage.hostile)
        played.lost_answers = stage.store.lost_answers + stage.broker.lost_answers
        played.copies = len(stage.copies)
        played.ended_by_themselves = list(stage.ended_by_themselves)


async def _hurt(stage: Stage, act: Act, watch: Watch, show: Show) -> None:
    await asyncio.sleep(act.healthy)
    for fault in act.faults:
        suffered = Suffered(fault.name, fault.kind, watch.now)
        watch.faults.append(suffered)
        show.begins(fault)
        try:
            await fault.do(stage)
        except SkippedError as reason:
            suffered.skipped = str(reason)
        suffered.ended = watch.now
        show.ends(suffered)
        await asyncio.sleep(act.healthy)


async def _stock(stage: Stage, act: Act) -> dict[str, int]:
    """Fill the shelves: plenty of everything, too little of the product that all customers want."""
    expected = max(act.least, len(act.faults) * (act.healthy + 8) * act.per_second)
    delivered = dict.fromkeys(SHELVES, PLENTY) | {HOT: int(expected / 3 * 0.6)}
    address = stage.flow.address("inventory")
    for sku, quantity in delivered.items():
        async with stage.session.post(f"{address}/stock", json={"sku": sku, "quantity": quantity}) as answer:
            answer.raise_for_status()
    for sku, quantity in delivered.items():
        async with asyncio.timeout(60):
            while True:
                async with stage.session.get(f"{address}/stock/{sku}") as answer:
                    told = await answer.json()
                    if answer.status == 200 and told["available"] == quantity:
                        break
                await asyncio.sleep(0.1)
    return delivered


def _books(stage: Stage) -> Books:
    return Books(
        dsn=stage.flow.postgres_dsn,
        broker=stage.redis,
        session=stage.session,
        provider=stage.flow.address(PROVIDER),
        hostile=frozenset(stage.hostile),
        aimed=stage.aimed,
        attacks=tuple(stage.attacks),
        processes={name: stage.flow.address(name) for name in stage.apps},
    )


@asynccontextmanager
async def _watched(stage: Stage, customers: Customers, watch: Watch) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(watch.ends_of_orders(stage.redis)),
        asyncio.create_task(watch.each_second(customers.orders)),
    ]
    try:
        yield
    finally:
        await call_off(*tasks)


@asynccontextmanager
async def _shown(show: Show, customers: Customers, watch: Watch, stage: Stage) -> AsyncIterator[None]:
    async def refresh() -> None:
        while True:
            sent, ended = watch.per_second()
            show.figures(len(customers.orders), len(watch.ends), sent, ended, len(stage.ended_by_themselves))
            await asyncio.sleep(0.5)

    task = asyncio.create_task(refresh())
    try:
        yield
    finally:
        await call_off(task)


async def _quiet(stage: Stage, customers: Customers, watch: Watch) -> None:
    """Wait until nothing is left to do, or until a longer wait would only hide a problem."""
    until = watch.now + _QUIET
    calm = 0
    while calm < _CALM_FOR and watch.now < until:
        await asyncio.sleep(1)
        try:
            busy = any(group.pending or group.behind for group in await waiting(stage.redis))
        except (RedisError, OSError):
            busy = True
        open_orders = any(one not in watch.ends for ordered in customers.orders for one in ordered.order_ids)
        calm = 0 if busy or open_orders else calm + 1


def _lateness(customers: Customers, watch: Watch) -> dict[str, float]:
    """Return seconds from the sending of an order, or from the healing of the last fault before its end, to its end."""
    healed = [fault.ended for fault in watch.faults]
    late: dict[str, float] = {}
    for ordered in customers.orders:
        for one in ordered.order_ids & watch.ends.keys():
            _, ended = watch.ends[one]
            calm = max((moment for moment in healed if moment <= ended), default=0.0)
            late[one] = ended - max(ordered.sent_at - watch.began, calm)
    return late
