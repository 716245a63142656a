"""The explorer reports what no run reached, and why: properties may hold only because nothing happens."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from rich.console import Console

from choreography import Deadline, Decision, Entity, Event, Service, nothing
from choreography.explore import Scenario, World, eventually, scenario
from choreography.explore.command import explore
from choreography.explore.coverage import unreached
from choreography.explore.model import Model
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from choreography.explore.stuck import why_it_stopped


class Ordered(Event, owner="shop", subject="order_id", type="gift.ordered.v1"):
    """Somebody ordered."""

    order_id: str


class Packed(Event, owner="packing", subject="order_id", type="gift.packed.v1"):
    """It is packed."""

    order_id: str


class Paid(Event, owner="payments", subject="order_id", type="gift.paid.v1"):
    """It is paid."""

    order_id: str


class Parcel(Entity, key="order_id"):
    """What is packed."""

    order_id: str
    status: Literal["new", "packed"] = "new"


class Payment(Entity, key="order_id"):
    """What is paid."""

    order_id: str
    status: Literal["new", "paid"] = "new"


class Gift(Entity, key="order_id"):
    """What was ordered."""

    order_id: str
    status: Literal["new", "done", "expired"] = "new"


def services(*, saved: bool) -> tuple[Service, ...]:
    """Return two services that wait for each other, and a shop whose deadline may save the order."""
    packing, payments = Service("packing", publishes=[Packed]), Service("payments", publishes=[Paid])
    shop = Service("shop", publishes=[Ordered])

    @packing.when_all(Ordered, Paid)
    def pack(parcel: Parcel, ordered: Ordered, paid: Paid) -> Decision[Packed]:
        assert ordered.order_id == paid.order_id
        return parcel.but(status="packed"), Packed(order_id=parcel.order_id)

    @payments.when_all(Ordered, Packed)
    def pay(payment: Payment, ordered: Ordered, packed: Packed) -> Decision[Paid]:
        assert ordered.order_id == packed.order_id
        return payment.but(status="paid"), Paid(order_id=payment.order_id)

    @shop.on(Ordered)
    def note(_gift: Gift, _ordered: Ordered) -> Decision:
        return nothing

    @shop.on(Packed)
    def finish(gift: Gift, _packed: Packed) -> Decision:
        return gift.but(status="done")

    if saved:

        @shop.deadline(after=Ordered, within=timedelta(minutes=5))
        def expire(gift: Gift, _deadline: Deadline) -> Decision:
            return gift.but(status="expired") if gift.status == "new" else nothing

    return packing, payments, shop


@scenario
def orders(orders: int = 1) -> Scenario:
    """So many orders."""
    flows = tuple(f"order-{number}" for number in range(1, orders + 1))
    return Scenario(flows, says=tuple(Ordered(order_id=one) for one in flows))


@eventually
def every_order_ends(world: World, order_id: str) -> bool:
    """Every order ends."""
    return world.state_of(Gift, order_id).status in ("done", "expired")


saved_by_a_deadline = Model("saved", services(saved=True), (every_order_ends,), {"orders": orders}, {})
stuck = Model("stuck", services(saved=False), (every_order_ends,), {"orders": orders}, {})
PACK = (
    "packing.pack has Ordered, waits for Paid, which only payments.pay says, "
    "which waits for Packed, which only packing.pack says"
)


def test_joins_that_wait_for_each_other_are_exposed_although_a_deadline_saves_every_order() -> None:
    """Every property holds, and the report says that nothing was ever packed."""
    result = search(saved_by_a_deadline, saved_by_a_deadline.scenario())
    assert result.complete
    said = unreached(result.space)
    assert f"the join packing.pack never ran: {PACK}" in said
    assert "no Parcel of packing ever had status 'packed'" in said
    assert "no Gift of shop ever had status 'done'" in said
    assert not any("expire" in one for one in said)


def test_everything_that_a_sound_flow_declares_is_reached() -> None:
    """With both scenarios of the shelf, every part of checkout that belongs to them is reached."""
    model = Model.of("apps.checkout")
    left = unreached(search(model, model.scenario(cancel=True, stock=0, restock=True)).space)
    assert not any("never ran" in one for one in left)


def test_why_a_run_stopped_names_what_is_there_what_is_lacking_and_who_would_say_it() -> None:
    """If there are several flows, it names the stuck one."""
    result = search(stuck, stuck.scenario())
    replay = replayed(result.space, steps_along(result.space, result.path, result.found))
    assert PACK in why_it_stopped(replay)
    two = search(stuck, stuck.scenario(orders=2))
    replay = replayed(two.space, steps_along(two.space, two.path, two.found))
    assert {f"{PACK} (order-1)", f"{PACK} (order-2)"} <= set(why_it_stopped(replay))


def test_the_command_says_both(tmp_path: Path) -> None:
    """It reports what was not reached, and why the run that breaks a property stopped."""
    console = Console(record=True, width=200, file=(tmp_path / "told").open("w"))
    assert explore("tests.explore.test_coverage:stuck", into=tmp_path, console=console) == 1
    said = console.export_text()
    assert f"it stopped: {PACK}" in said
    assert "no run of this scenario reached everything:" in said
