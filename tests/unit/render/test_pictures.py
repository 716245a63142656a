"""Pages and pictures are rendered from the declarations, and need no upkeep by a person."""

# ruff: noqa: ARG001 - what is drawn are signatures.

from __future__ import annotations

from typing import Literal

from apps.checkout.billing import billing
from apps.checkout.contracts import OrderCreated
from apps.checkout.inventory import Shelf, inventory
from apps.checkout.payment import Payment
from apps.checkout.shipping import Shipment, shipping
from choreography import Decision, Entity, Event, Id, Service
from choreography.flow import services_of
from choreography.render import render
from choreography.render.diagram import event_diagram
from choreography.render.state_diagram import state_diagram

SERVICES = services_of("apps.checkout")


class Reopened(Event, owner="doors", subject="door", type="door.re-opened.v1"):
    """A door was opened again."""

    door: Id


class Door(Entity, key="door"):
    """A door that was there before."""

    door: Id
    state: Literal["wide open", "shut"]


class NarrowOrder(Event, owner="orders", subject="order_id", type="order.created.v1"):
    """A consumer's own copy, with what it reads."""

    order_id: Id


def test_the_states_of_an_entity_are_found_by_its_own_reactions() -> None:
    """They are computed, so none is forgotten."""
    assert state_diagram(shipping, Shipment).mermaid == (
        "stateDiagram-v2\n"
        "    [*] --> waiting\n"
        "    waiting --> dispatched: StockReserved and PaymentCharged<br/>/ ShipmentDispatched\n"
        "    waiting --> withheld: CancellationRequested<br/>/ ShipmentWithheld\n"
    )


def test_what_is_said_without_another_state_is_told_beside_the_picture() -> None:
    """A loop at every state would hide the moves."""
    assert state_diagram(shipping, Shipment).staying == (("dispatched", "CancellationRequested / CancellationRefused"),)
    assert ("charging", "OrderCancelled") in state_diagram(billing, Payment).staying


def test_only_states_that_can_be_come_to_are_drawn() -> None:
    """A charge that is cancelled meanwhile is refunded; a declined payment is never refunded."""
    arrows = state_diagram(billing, Payment).mermaid
    assert "charging --> refunding: CardCharged<br/>/ PaymentCharged, Refund" in arrows
    assert "declined -->" not in arrows


def test_an_entity_that_only_counts_has_no_picture() -> None:
    """A shelf has no states."""
    assert state_diagram(inventory, Shelf).mermaid == ""


def test_a_state_with_blanks_and_an_entity_that_is_not_there_are_drawn() -> None:
    """Names that Mermaid cannot read get an id; no entity is the empty circle."""
    doors = Service("doors", publishes=[Reopened])

    @doors.on(Reopened)
    def swing(door: Door | None, opened: Reopened) -> Decision:
        if door is None:
            return Door(door=opened.door, state="wide open")
        return door.gone() if door.state == "shut" else door.but(state="shut")

    assert state_diagram(doors, Door).mermaid == (
        "stateDiagram-v2\n"
        '    state "wide open" as wide_open\n'
        "    [*] --> wide_open: Reopened\n"
        "    wide_open --> shut: Reopened\n"
        "    shut --> [*]: Reopened\n"
    )


def test_a_consumer_with_a_narrower_copy_is_in_the_event_diagram() -> None:
    """Events are the same by their wire type, not by their class."""
    teller = Service("teller")

    @teller.on(NarrowOrder)
    def tell(shipment: Shipment, created: NarrowOrder) -> Decision:
        return shipment

    assert 'order -- "OrderCreated" --> teller' in event_diagram([*SERVICES, teller])


def test_a_deadline_is_a_node_of_its_own() -> None:
    """A loop from the service to itself lies across the names of other events."""
    line = '    order -. "15 min after OrderCreated" .-> order_overdue{{"overdue"}} -.-> order'
    assert line in event_diagram(SERVICES).splitlines()


def test_the_page_of_a_service_tells_all_it_does() -> None:
    """The page shows its publications, consumers, sources, requests, deadlines, effects and entities."""
    pages = {path.stem: text for path, text in render("apps.checkout").items() if path.parent.name == "docs"}
    assert sorted(pages) == sorted(service.name for service in SERVICES)
    assert "| `POST /orders` | `OrderCreated` | Accept an order. |" in pages["order"]
    assert "| `overdue` | 15 min after `OrderCreated` | `CancellationRequested` |" in pages["order"]
    assert "[billing](billing.md), [inventory](inventory.md), [order](order.md)" in pages["order"]
    assert "| `Charge` | `charge_card` calls payment-provider |" in pages["billing"]
    assert "`CardRefused` (`record_refusal`)" in pages["billing"]
    assert "Undoes `PaymentCharged`." in pages["billing"]
    assert "Empties its slot in the wait of `dispatch`" in pages["shipping"]
    assert "Kept as `shelf`, found by `sku`." in pages["inventory"]
    assert pages["notification"].count("```mermaid") == 1


def test_every_link_of_a_page_leads_somewhere() -> None:
    """Pages link to each other and to the flow."""
    rendered = render("apps.checkout")
    for path, text in rendered.items():
        if path.suffix == ".md":
            for link in [part.partition(")")[0] for part in text.split("](")[1:]]:
                assert (path.parent / link).resolve() in rendered, f"{path.name} links to {link}"


def test_the_wire_type_of_the_copy_is_that_of_the_event() -> None:
    """Otherwise the test above would prove nothing."""
    assert NarrowOrder.wire_type == OrderCreated.wire_type
