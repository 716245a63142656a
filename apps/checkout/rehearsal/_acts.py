"""What the rehearsal does: stock the shelf, send orders, watch them end, let the books settle."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import islice
from math import inf
from typing import NamedTuple, TypeVar

from rich.progress import Progress, TaskID

from apps.checkout.rehearsal._audit import Evidence, Seen, audit
from apps.checkout.rehearsal._plan import CARD_LIMIT, HOT, SHELF, Planned, stock_wanted
from apps.checkout.rehearsal._shop import Answer, RehearsalError, Shop, Sums, expect

T = TypeVar("T")

AT_ONCE = 50
LOOKING_AT_ONCE = 8
SECONDS_TO_SETTLE = 60.0
SECONDS_TO_STOCK = 60.0
SECONDS_TO_SWITCH_BACK = 5.0
FAULTS = {"decline_above": CARD_LIMIT, "delay_ms": 5, "error_rate": 0.03}
SKUS = (HOT, *SHELF)


class Pace(NamedTuple):
    """How fast the orders went."""

    seconds: float
    latencies: list[float]


class Acts:
    """One run, act by act."""

    def __init__(self, shop: Shop, planned: list[Planned], run: str, bars: Progress) -> None:
        self._shop = shop
        self._run = run
        self._bars = bars
        self._seen = [Seen(order) for order in planned]
        self._open: dict[str, Seen] = {}
        self._lowest = dict.fromkeys(SKUS, 0)
        self._follow_until = inf

    async def play(self) -> Evidence:
        """Play every act; what the provider was switched to before comes back at the end."""
        before = await self._quiet()
        delivered = await self._stock_the_shelf(before)
        async with self._with_faults():
            await self._send_and_follow()
            return await self._settle(before, delivered)

    def pace(self) -> Pace:
        """Tell how long orders took from being sent to being seen ended."""
        spans = [(seen.sent_at, seen.ended_at) for seen in self._seen if seen.ended_at is not None]
        if not spans:
            return Pace(0.0, [])
        seconds = max(ended for _, ended in spans) - min(sent for sent, _ in spans)
        return Pace(seconds, sorted(ended - sent for sent, ended in spans))

    async def _quiet(self) -> Sums:
        """Wait until an earlier run, if there was one, has stopped moving money and stock."""
        bar = self._bar("Reading the books", 1)
        before = await self._until_still(asyncio.get_running_loop().time() + SECONDS_TO_SETTLE)
        self._bars.advance(bar)
        return before

    async def _until_still(self, until: float) -> Sums:
        """Read money and stock until they are the same twice, or until it is time to stop waiting."""
        last = await self._sums()
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.4)
            now = await self._sums()
            if now == last:
                break
            last = now
        return last

    async def _stock_the_shelf(self, before: Sums) -> dict[str, int]:
        wanted = stock_wanted([seen.planned for seen in self._seen])
        missing = {sku: wanted[sku] - before.stock[sku].available for sku in SKUS}
        delivered = {sku: quantity for sku, quantity in missing.items() if quantity > 0}
        bar = self._bar("Stocking the shelf", len(delivered))

        async def deliver(sku: str) -> None:
            await self._shop.add_stock(sku, delivered[sku], f"{self._run}-stock-{sku}")
            loop = asyncio.get_running_loop()
            until = loop.time() + SECONDS_TO_STOCK
            while sum(await self._shop.stock(sku)) < sum(before.stock[sku]) + delivered[sku]:
                if loop.time() > until:
                    raise RehearsalError(
                        f"Inventory accepted {delivered[sku]} pieces of {sku} but does not show them after "
                        f"{SECONDS_TO_STOCK:.0f} s, so orders would be refused for nothing. It hears of "
                        "them through the broker: see in its log whether the broker delivers."
                    )
                await asyncio.sleep(0.05)
            self._bars.advance(bar)

        await _each(delivered, deliver, LOOKING_AT_ONCE)
        kept = len(SKUS) - len(delivered)
        self._bars.update(bar, note=f"{kept} articles had enough" if kept else "")
        return delivered

    @asynccontextmanager
    async def _with_faults(self) -> AsyncIterator[None]:
        bar = self._bar("Telling the provider to misbehave", 1)
        earlier = await self._shop.faults()
        await self._shop.switch(FAULTS)
        self._bars.update(
            bar,
            completed=1,
            note=f"above {CARD_LIMIT // 100:,} EUR declined, {FAULTS['error_rate']:.0%} errors",
        )
        try:
            yield
        finally:
            # The error that ended the acts matters more than the switches of a provider that may be gone.
            with suppress(RehearsalError, TimeoutError):
                async with asyncio.timeout(SECONDS_TO_SWITCH_BACK):
                    await self._shop.switch(earlier)

    async def _send_and_follow(self) -> None:
        sending = self._bar("Sending orders", len(self._seen))
        following = self._bar("Following them to their end", len(self._seen))
        async with asyncio.TaskGroup() as together:

            async def send(seen: Seen) -> None:
                await self._send(seen)
                self._bars.advance(sending)
                if not seen.accepted:
                    self._bars.advance(following)

            watching = together.create_task(self._watch_hot_stock())
            until_the_end = together.create_task(self._follow(following))
            await _each(self._seen, send, AT_ONCE)
            self._follow_until = asyncio.get_running_loop().time() + max(60.0, len(self._seen) * 0.1)
            await until_the_end
            watching.cancel()
        late = sum(seen.accepted and not seen.ended for seen in self._seen)
        self._bars.update(following, note=f"[red]{late} did not end[/]" if late else self._ends())

    async def _send(self, seen: Seen) -> None:
        planned = seen.planned
        seen.sent_at = asyncio.get_running_loop().time()
        answer = await self._shop.place(planned)
        seen.answered = answer.status
        if answer.status != 202:
            return
        seen.order_id = _order_id(answer)
        if planned.sent_twice:
            seen.other_ids.add(_order_id(await self._shop.place(planned)))
        self._open[planned.key] = seen
        if planned.kind == "withdrawn by the customer":
            # The order may be too young or too old for a cancellation; in either case it must end.
            await self._shop.cancel(seen.order_id, planned.key)

    async def _follow(self, bar: TaskID) -> None:
        """Look at the oldest orders first, few at a time, and more slowly while none of them ends."""
        loop = asyncio.get_running_loop()
        while self._follow_until == inf or (self._open and loop.time() <= self._follow_until):
            due = (seen for seen in self._open.values() if seen.look_again_at <= loop.time())
            looked_at = list(islice(due, LOOKING_AT_ONCE))
            await asyncio.gather(*map(self._look_at, looked_at))
            ended = [seen for seen in looked_at if seen.ended]
            for seen in ended:
                del self._open[seen.planned.key]
            if ended:
                self._bars.update(bar, advance=len(ended), note=self._ends())
            else:
                await asyncio.sleep(0.03)

    async def _look_at(self, seen: Seen) -> None:
        answer = await self._shop.order(str(seen.order_id))
        now = asyncio.get_running_loop().time()
        if answer.status == 200:
            seen.status = answer.body["status"]
            seen.ended_at = now if seen.ended else None
        # Waiting a tenth of its age is precise enough, and saves requests.
        seen.look_again_at = now + max(0.02, (now - seen.sent_at) / 10)

    async def _watch_hot_stock(self) -> None:
        while True:
            stock = await self._shop.stock(HOT)
            self._lowest[HOT] = min(self._lowest[HOT], *stock)
            await asyncio.sleep(0.3)

    async def _settle(self, before: Sums, delivered: dict[str, int]) -> Evidence:
        """Wait until compensations are through, or until waiting longer would only hide that they are not."""
        accepted = [seen for seen in self._seen if seen.accepted]
        bar = self._bar("Auditing every order", len(accepted))
        loop = asyncio.get_running_loop()
        until = loop.time() + SECONDS_TO_SETTLE
        unsettled = accepted

        async def read_again(seen: Seen) -> None:
            await self._read_again(seen)
            self._bars.advance(bar)

        while True:
            first = await self._until_still(until)
            self._bars.update(bar, completed=len(accepted) - len(unsettled))
            await _each(unsettled, read_again, LOOKING_AT_ONCE)
            after = await self._sums()
            evidence = Evidence(self._seen, before, after, delivered, self._lowest)
            broken = [finding for finding in audit(evidence) if finding.settles and not finding.holds]
            offenders = {name for finding in broken for name in finding.offenders}
            self._bars.update(bar, completed=len(accepted) - sum(seen.name in offenders for seen in accepted))
            # Sums that changed while the orders were read prove nothing yet, in either direction.
            if first == after and (not broken or loop.time() > until):
                self._bars.update(bar, note="")
                return evidence
            if loop.time() > until + SECONDS_TO_SETTLE:
                self._bars.update(bar, note="[red]money or stock still moves[/]")
                return evidence
            self._bars.update(bar, note="waiting for compensations")
            unsettled = [seen for seen in accepted if seen.name in offenders] if first == after else accepted
            await asyncio.sleep(0.5)

    async def _read_again(self, seen: Seen) -> None:
        seen.charges, seen.refunds = await self._shop.ledger_of(str(seen.order_id))
        answer = await self._shop.order(str(seen.order_id))
        if answer.status == 200:
            # The end of an order may be delivered before its beginning, so its price may be known only by now.
            seen.status_later = answer.body["status"]
            seen.reason = answer.body.get("reason")
            seen.total = answer.body.get("total")

    async def _sums(self) -> Sums:
        sums = await self._shop.sums(SKUS)
        for sku, stock in sums.stock.items():
            self._lowest[sku] = min(self._lowest[sku], *stock)
        return sums

    def _ends(self) -> str:
        counts = Counter(seen.status for seen in self._seen)
        return f"[green]{counts['completed']} completed[/] [yellow]{counts['cancelled']} cancelled[/]"

    def _bar(self, title: str, total: int) -> TaskID:
        return self._bars.add_task(f"{title:<33}", total=total, note="")


def _order_id(answer: Answer) -> str:
    return str(expect(answer, 202, "POST /orders")["order_id"])


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Work on all items, a few at a time."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as workers:
        for _ in range(at_once):
            workers.create_task(worker())
