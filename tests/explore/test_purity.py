"""A reaction that is not pure is an error with its name, whatever it takes from outside its input."""

from __future__ import annotations

import datetime as dt
import itertools
import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date
from datetime import datetime as moment

import pytest

from choreography import Decision, Entity, Event, Service, nothing
from choreography.explore import Scenario, scenario
from choreography.explore.elsewhere import ImpureError
from choreography.explore.model import Model
from choreography.explore.properties import nothing_is_set_aside
from choreography.explore.search import search
from choreography.explore.walking import walk


class Ordered(Event, owner="shop", subject="order_id", type="lot.ordered.v1"):
    """Somebody wants a lot."""

    order_id: str


class Drawn(Event, owner="lottery", subject="order_id", type="lot.drawn.v1"):
    """A lot was drawn."""

    order_id: str
    lot: str


class Lot(Entity, key="order_id"):
    """One lot."""

    order_id: str
    lot: str = ""


@scenario
def orders(orders: int = 1) -> Scenario:
    """So many orders."""
    flows = tuple(f"order-{number}" for number in range(1, orders + 1))
    return Scenario(flows, says=tuple(Ordered(order_id=one) for one in flows))


counted, remembered = itertools.count(), dict[str, int]()


def after_the_first_time(order_id: str) -> str:
    """Say something else to whoever comes again."""
    remembered[order_id] = remembered.get(order_id, 0) + 1
    return str(remembered[order_id] > 1)


def failing_at_odd_times(_order_id: str) -> str:
    """Fail each other time."""
    if next(counted) % 2:
        raise ValueError("odd")
    return "even"


IMPURE: dict[str, Callable[[str], str]] = {
    "random": lambda _: str(random.random()),
    "uuid": lambda _: uuid.uuid4().hex,
    "now": lambda _: moment.now(UTC).isoformat(),
    "the year": lambda _: str(moment.now(UTC).year),
    "today": lambda _: date.today().isoformat(),  # noqa: DTZ011 - it is the flaw
    "today by its module": lambda _: dt.date.today().isoformat(),  # noqa: DTZ011 - it is the flaw
    "now by its module": lambda _: str(dt.datetime.now(UTC).year),
    "the clock": lambda _: str(time.time() // 86400),
    "a counter": lambda _: str(next(counted)),
    "a dict that outlives the call": after_the_first_time,
    "failing now and then": failing_at_odd_times,
}


def drawing(lot: Callable[[str], str]) -> Model:
    """Return a flow whose second reaction asks for its lot in some way."""
    shop, lottery = Service("shop", publishes=[Ordered]), Service("lottery", publishes=[Drawn])

    @lottery.on(Ordered)
    def look(ordered: Ordered) -> Decision:
        assert ordered.order_id
        return nothing

    @lottery.on(Ordered)
    def draw(kept: Lot, ordered: Ordered) -> Decision[Drawn]:
        drawn = lot(ordered.order_id)
        return kept.but(lot=drawn), Drawn(order_id=ordered.order_id, lot=drawn)

    return Model("lottery", (shop, lottery), (nothing_is_set_aside,), {"orders": orders}, {})


@pytest.mark.parametrize("flaw", IMPURE)
@pytest.mark.parametrize("flows", [1, 2])
def test_what_a_reaction_takes_from_outside_its_input_is_an_error_with_its_name(flaw: str, flows: int) -> None:
    """And with what it decided the one time and the other."""
    model = drawing(IMPURE[flaw])
    with pytest.raises(ImpureError, match=r"(?s)^lottery\.draw is not pure: given lot.ordered.v1 .*first: .*seed: "):
        search(model, model.scenario(orders=flows))


def test_random_runs_notice_it_as_well() -> None:
    """It is the same question, asked wherever something is decided."""
    model = drawing(IMPURE["random"])
    with pytest.raises(ImpureError, match=r"lottery\.draw"):
        walk(model, model.scenario(), runs=1, seed=1)


def test_a_pure_reaction_may_handle_times_and_seeded_chance() -> None:
    """A time that is given is no clock, and chance that begins at what is given is none."""

    def lot(order_id: str) -> str:
        when = moment(2026, 1, 2, tzinfo=UTC)
        assert isinstance(when, moment)
        return f"{when + dt.timedelta(days=1)} {random.Random(order_id).random()} {date(2026, 1, 2)}"

    model = drawing(lot)
    assert search(model, model.scenario(orders=2)).complete


def test_the_clock_and_the_chance_of_whoever_explores_are_left_as_they_were() -> None:
    """Looking elsewhere changes nothing here."""
    model = drawing(str.upper)
    random.seed(5)
    expected = random.random()
    random.seed(5)
    search(model, model.scenario())
    assert random.random() == expected
    assert abs(moment.now(UTC).timestamp() - time.time()) < 60
    assert date.today() is not None  # noqa: DTZ011 - the very thing that was replaced
