"""The report of a run: its list, its diagram, its picture in the browser, and its generated test."""

from __future__ import annotations

import pytest

from choreography import Decision, Entity, Event, Service
from choreography.explore import Replay, Scenario, World, eventually, scenario
from choreography.explore.browser.course import Course
from choreography.explore.browser.pages import Beginning, Page, page_of
from choreography.explore.model import Model
from choreography.explore.run_report import as_diagram, as_list, as_test


class Packed(Event, owner="store", subject="order", type="parcel.packed.v1"):
    """One parcel of an order is packed."""

    order: str
    parcel: str
    weight: int
    shelf: str = "A"


class Load(Entity, key="order"):
    """What is on the van."""

    order: str
    parcels: tuple[str, ...] = ()


store = Service("store", publishes=[Packed])
van = Service("van")


@van.on(Packed)
def load(load: Load, packed: Packed) -> Decision:
    """Load a parcel."""
    return load.but(parcels=(*load.parcels, packed.parcel))


@scenario
def two_parcels(orders: int = 1) -> Scenario:
    """So many orders of two parcels each, which differ in one field, or in two."""
    flows = tuple(f"order-{number}" for number in range(1, orders + 1))
    parcels = [Packed(order=one, parcel=parcel, weight=5) for one in flows for parcel in ("left", "right")]
    return Scenario(flows, says=(*parcels, Packed(order=flows[0], parcel="left", weight=9)))


@eventually
def loaded(world: World, order: str) -> bool:
    """Every parcel is on the van."""
    return len(world.state_of(Load, order).parcels) > 1


MODEL = Model("tests.explore.test_run_report:MODEL", (store, van), (loaded,), {"two_parcels": two_parcels}, {})


def run(orders: int = 1) -> Replay:
    """Load every parcel."""
    replay = Replay(MODEL, MODEL.scenario(orders=orders))
    replay.to_the_end()
    return replay


def page(orders: int = 1) -> Page:
    """Return the page of the same run."""
    beginning = Beginning("two_parcels", MODEL.scenario(orders=orders))
    return page_of(MODEL, beginning, Course((0,) * (2 * orders + 1)))


APART = [
    "Packed (parcel='left', weight=5)",
    "Packed (parcel='right'",
    "Packed (weight=9)",
]


def told_apart(lines: list[str]) -> None:
    """Check that no two steps read the same, and that no shared field is shown."""
    assert len(set(lines)) == len(lines) == 3
    assert "parcel='left'" in lines[0]
    assert "weight=5" in lines[0]
    assert "parcel='right'" in lines[1]
    assert "weight=9" in lines[2]
    assert not any("shelf" in line for line in lines)


def test_events_alike_are_told_apart_by_the_fields_that_differ_in_the_list() -> None:
    """No other fields are shown."""
    lines = [line for line in as_list(run()) if "hears Packed" in line]
    told_apart([line.partition(". ")[2] for line in lines])


def test_events_alike_are_told_apart_in_the_diagram() -> None:
    """The diagram shows the same fields as the list."""
    lines = [line for line in as_diagram(run(), "").splitlines() if "Packed" in line]
    told_apart([line.partition(". ")[2] for line in lines])


def test_events_alike_are_told_apart_in_the_browser() -> None:
    """They differ in the run so far, in the picture, and in the text for screen readers."""
    shown = page()
    told_apart([step.text for step in shown.steps])
    told_apart([arrow.text for arrow in shown.picture.arrows])
    assert all(arrow.text in shown.picture.words for arrow in shown.picture.arrows)


def test_steps_that_may_be_taken_are_told_apart_in_the_browser() -> None:
    """All their fields are shown."""
    beginning = Beginning("two_parcels", MODEL.scenario())
    steps = [one for panel in page_of(MODEL, beginning, Course()).services for one in panel.next]
    assert len({one.details for one in steps}) == 3


def test_the_flow_is_named_where_there_are_several() -> None:
    """Only steps of the same flow need more fields."""
    lines = [line.partition(". ")[2] for line in as_list(run(2)) if "hears Packed" in line]
    assert len(set(lines)) == 5
    assert all(" of order-1" in line or " of order-2" in line for line in lines)


def test_the_generated_test_tells_events_alike_apart() -> None:
    """It repeats the same run."""
    replay = run()
    text = as_test(replay, loaded, "choreography explore")
    calls = [line.strip() for line in text.splitlines() if "run.hears" in line]
    assert len(calls) == 3
    again = Replay(MODEL, MODEL.scenario())
    for call in calls:
        exec(call, {"run": again})  # noqa: S102 - it is what was generated
    assert not again.left_out
    assert [one.item.text for one in again.happened] == [one.item.text for one in replay.happened]


@pytest.mark.parametrize("orders", [1, 2])
def test_a_run_reads_the_same_each_time(orders: int) -> None:
    """Nothing in it depends on the process."""
    assert as_list(run(orders)) == as_list(run(orders))


def test_a_failed_reaction_is_told_with_its_file_and_line() -> None:
    """The list, the diagram and the page name the place, so that nobody searches for the line that failed."""
    fragile = Service("fragile")

    @fragile.on(Packed)
    def weigh(load: Load, packed: Packed) -> Decision:
        """Refuse one weight by accident."""
        return load.but(parcels=(str(1 // (packed.weight - 9)),))

    model = Model("tests.explore.test_run_report:FRAGILE", (store, fragile), (), {"two_parcels": two_parcels}, {})
    replay = Replay(model, model.scenario(orders=1))
    replay.to_the_end()
    line = weigh.__code__.co_firstlineno + 3
    place = f"ZeroDivisionError: integer division or modulo by zero (tests/explore/test_run_report.py, line {line})"
    assert any(one.endswith(f"SET ASIDE: {place}") for one in as_list(replay))
    assert "tests/explore/test_run_report.py" in as_diagram(replay, "nothing")
