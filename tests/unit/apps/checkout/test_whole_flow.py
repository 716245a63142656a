"""All five services together: every order ends correctly, in every order of arrival.

Hypothesis chooses each next step: which events in flight arrive, alone or as one batch, in which order and how often,
how the provider replies, when a customer asks to cancel, and whether the deadline comes.
"""

from collections import Counter
from typing import Literal

import hypothesis
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.checkout.billing import CardCharged, CardRefunded, CardRefused, Charge, Refund, billing
from apps.checkout.contracts import (
    CancellationRequested,
    Line,
    OrderCreated,
    PaymentRefunded,
    ShipmentDispatched,
    StockAdded,
)
from apps.checkout.inventory import Reservation, Shelf, inventory
from apps.checkout.notification import Notice, notification
from apps.checkout.order import Order, order
from apps.checkout.payment import Payment
from apps.checkout.shipping import Shipment, shipping
from choreography import Answer, Event
from choreography.engine.answering import Answering
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.records import CommittedIntent
from choreography.in_memory import NOON, Delivered, InMemory

LARGEST_BATCH = 3
ENDED = ("completed", "cancelled")


class Provider:
    """The payment provider: one charge and one refund per key, however often it is asked."""

    def __init__(self, *, declines: bool) -> None:
        self.declines = declines
        self.answers: dict[str, Answer] = {}
        self.charged: Counter[str] = Counter()
        self.refunded: Counter[str] = Counter()

    def ask(self, committed: CommittedIntent) -> Answer:
        """Carry out an intent, or repeat the reply that was given under its key."""
        if committed.key not in self.answers:
            self.answers[committed.key] = self._carry_out(committed)
        return self.answers[committed.key]

    def _carry_out(self, committed: CommittedIntent) -> Answer:
        if committed.effect == "refund_card":
            refund = Refund.model_validate_json(committed.body)
            self.refunded[refund.order_id] += refund.amount
            return CardRefunded(order_id=refund.order_id)
        charge = Charge.model_validate_json(committed.body)
        if self.declines:
            return CardRefused(order_id=charge.order_id, reason="no cover")
        self.charged[charge.order_id] += charge.amount
        return CardCharged(order_id=charge.order_id, charge_id=f"charge of {charge.order_id}")


class Flow:
    """The five services, and everything that is on its way between them."""

    def __init__(self, provider: Provider) -> None:
        services = (order, inventory, billing, shipping, notification)
        self.services = {service.name: InMemory(service) for service in services}
        self.provider = provider
        self.flying: list[tuple[str, Delivery | CommittedIntent]] = []
        self.arrived: list[tuple[str, Delivery | CommittedIntent]] = []
        self.deadlines: list[tuple[str, Delivery]] = []
        self.said: set[tuple[str, str]] = set()

    def publish(self, event: Event) -> None:
        """Publish the event of a command."""
        self._fly(self.services[event.owned_by].delivery(event).raw)

    def arrive(self, service: str, things: list[Delivery | CommittedIntent]) -> None:
        """Let things arrive at one service: deliveries as one batch, intents one by one at the provider."""
        memory = self.services[service]
        self.arrived += [(service, thing) for thing in things]
        deliveries = [thing for thing in things if isinstance(thing, Delivery)]
        if deliveries:
            self._let_out(service, memory.hear(*deliveries))
        for committed in (thing for thing in things if isinstance(thing, CommittedIntent)):
            answer = Answering(memory.service).delivery(committed, self.provider.ask(committed), NOON)
            self.flying.append((service, answer))

    def _let_out(self, service: str, released: Delivered) -> None:
        assert released.quarantined == []
        for event in released.events:
            self._fly(event.encoded)
        self.flying += [(service, committed) for committed in released.intents]
        for due in released.deadlines:
            self.deadlines.append((service, self.services[service].fired(due)))

    def _fly(self, encoded: str) -> None:
        told = orjson.loads(encoded)
        if (told["id"], told["type"]) in self.said:
            # A repeat published it again: one more duplicate, which the run makes by itself anyway.
            return
        self.said.add((told["id"], told["type"]))
        for name, memory in self.services.items():
            if told["type"] in memory.service.subjects:
                self.flying.append((name, read_delivery(encoded.encode())))

    def count(self, event: type[Event]) -> int:
        """Count the different events of a type that were ever published."""
        return sum(wire_type == event.wire_type for _, wire_type in self.said)


@st.composite
def orders(draw: st.DrawFn) -> list[OrderCreated]:
    """One or two orders, of one or two products, whose lines may repeat a product."""
    placed = []
    for number in range(draw(st.integers(1, 2))):
        wanted = draw(st.lists(st.tuples(st.sampled_from(["cup", "pot"]), st.integers(1, 2)), min_size=1, max_size=2))
        lines = tuple(Line(sku=sku, quantity=quantity, unit_price=500) for sku, quantity in wanted)
        total = sum(line.quantity * line.unit_price for line in lines)
        placed.append(OrderCreated(order_id=f"o{number}", customer_id="c1", currency="EUR", lines=lines, total=total))
    return placed


def run(flow: Flow, data: st.DataObject, requests: list[CancellationRequested], *, deadline: bool) -> None:
    """Let things happen until nothing is in flight any more."""
    duplicates = data.draw(st.integers(0, 6), label="duplicates")
    while flow.flying or requests or (deadline and flow.deadlines):
        kinds: list[Literal["arrive", "again", "cancel", "deadline"]] = ["arrive"] if flow.flying else []
        kinds += ["again"] if flow.arrived and duplicates else []
        kinds += ["cancel"] if requests else []
        kinds += ["deadline"] if deadline and flow.deadlines else []
        match data.draw(st.sampled_from(kinds), label="next"):
            case "arrive":
                first = data.draw(st.integers(0, len(flow.flying) - 1), label="which")
                service = flow.flying[first][0]
                same = [one for one in flow.flying if one[0] == service and one is not flow.flying[first]]
                others = data.draw(st.integers(0, min(LARGEST_BATCH - 1, len(same))), label="with others")
                batch = [flow.flying[first], *same[:others]]
                for one in batch:
                    flow.flying.remove(one)
                flow.arrive(service, [thing for _, thing in batch])
            case "again":
                duplicates -= 1
                service, thing = flow.arrived[data.draw(st.integers(0, len(flow.arrived) - 1), label="again")]
                flow.arrive(service, [thing])
            case "cancel":
                flow.publish(requests.pop())
            case "deadline":
                flow.flying.append(flow.deadlines.pop())


def check_order(flow: Flow, placed: OrderCreated) -> str:
    """Check that one order has ended correctly, and return its end."""
    order_id = placed.order_id
    states = {service: memory.entities for service, memory in flow.services.items()}
    ended, payment = states["order"]["order", order_id], states["billing"]["payment", order_id]
    reservation, notice = states["inventory"]["reservation", order_id], states["notification"]["notice", order_id]
    assert isinstance(ended, Order)
    assert isinstance(payment, Payment)
    assert isinstance(reservation, Reservation)
    assert isinstance(notice, Notice)
    assert ended.status in ENDED
    assert notice.told == ended.status
    shipment = states["shipping"].get(("shipment", order_id))
    dispatched = isinstance(shipment, Shipment) and shipment.status == "dispatched"
    assert dispatched == (ended.status == "completed")
    kept = flow.provider.charged[order_id] - flow.provider.refunded[order_id]
    assert kept == (placed.total if ended.status == "completed" else 0)
    if ended.status == "completed":
        assert (reservation.status, payment.status) == ("held", "charged")
        assert flow.provider.refunded[order_id] == 0
    else:
        assert reservation.status in ("rejected", "released", "cancelled")
        assert payment.status in ("declined", "refunded", "cancelled")
    return ended.status


def check_stock(flow: Flow, added: Counter[str], completed: list[OrderCreated]) -> None:
    """Check that every piece that came in is on its shelf or with a customer."""
    gone: Counter[str] = Counter()
    for placed in completed:
        for line in placed.lines:
            gone[line.sku] += line.quantity
    shelves = [one for one in flow.services["inventory"].entities.values() if isinstance(one, Shelf)]
    for shelf in shelves:
        assert (shelf.available, shelf.taken) == (added[shelf.sku] - gone[shelf.sku], gone[shelf.sku])
    assert gone.keys() <= {shelf.sku for shelf in shelves}


MOSTLY_NOT = st.sampled_from([False, False, True])


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    placed=orders(),
    stock=st.dictionaries(st.sampled_from(["cup", "pot"]), st.integers(1, 8), min_size=1),
    late=MOSTLY_NOT,
    declines=MOSTLY_NOT,
    asked=st.sets(st.sampled_from(["o0", "o1"])),
    deadline=MOSTLY_NOT,
)
def test_every_order_ends_and_ends_right(
    *,
    data: st.DataObject,
    placed: list[OrderCreated],
    stock: dict[str, int],
    late: bool,
    declines: bool,
    asked: set[str],
    deadline: bool,
) -> None:
    """It is completed, paid and dispatched, or cancelled with everything undone; nothing in between."""
    flow = Flow(Provider(declines=declines))
    for sku, quantity in stock.items():
        flow.publish(StockAdded(sku=sku, quantity=quantity))
    if not late:
        goods, flow.flying = [thing for _, thing in flow.flying], []
        flow.arrive("inventory", goods)
    for created in placed:
        flow.publish(created)
    requests = [
        CancellationRequested(order_id=one.order_id, reason="too slow") for one in placed if one.order_id in asked
    ]
    run(flow, data, requests, deadline=deadline)
    completed = [one for one in placed if check_order(flow, one) == "completed"]
    hypothesis.event(f"{len(completed)} of {len(placed)} completed, {flow.count(PaymentRefunded)} refunded")
    assert flow.count(ShipmentDispatched) == len(completed)
    assert flow.count(ShipmentDispatched) + flow.count(PaymentRefunded) <= len(placed)
    check_stock(flow, Counter(stock), completed)
