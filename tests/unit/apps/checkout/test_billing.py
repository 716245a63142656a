"""Billing asks the provider once, accepts every answer at any time, and refunds once."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from apps.checkout.billing import (
    CardCharged,
    CardRefunded,
    CardRefused,
    Charge,
    Refund,
    billing,
    charge_card,
    refund_card,
)
from apps.checkout.contracts import (
    Line,
    OrderCancelled,
    OrderCreated,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
)
from apps.checkout.payment import Cancelled, Charged, Charging, Declined, New, Payment, Refunded, Refunding, State
from choreography import Answer, Event, Value
from choreography.engine.kept_entities import shown, storable
from choreography.outside import Reply
from choreography.testing import another, every_order, every_state, given

LINES = (Line(sku="cup", quantity=1, unit_price=500),)
CREATED = OrderCreated(order_id="o1", customer_id="c1", currency="EUR", lines=LINES, total=500)
CANCELLED = OrderCancelled(order_id="o1", customer_id="c1", reason="too slow", lines=LINES)

CHARGE = Charge(order_id="o1", customer_id="c1", amount=500, currency="EUR")
REFUND = Refund(order_id="o1", charge_id="ch1", amount=500)
CARD_CHARGED = CardCharged(order_id="o1", charge_id="ch1")
CARD_REFUSED = CardRefused(order_id="o1", reason="no cover")
CARD_REFUNDED = CardRefunded(order_id="o1")

PAID = PaymentCharged(order_id="o1", amount=500, currency="EUR")
DECLINED = PaymentDeclined(order_id="o1", amount=500, currency="EUR", reason="no cover")
REFUNDED = PaymentRefunded(order_id="o1", amount=500, currency="EUR")


def payment(state: State) -> Payment:
    """Return the payment of the order in a state."""
    return Payment(order_id="o1", state=state)


CHARGING = payment(Charging(amount=500, currency="EUR"))
CHARGING_CANCELLED = payment(Charging(amount=500, currency="EUR", cancelled_meanwhile=True))
CHARGED = payment(Charged(amount=500, currency="EUR", charge_id="ch1"))
REFUNDING = payment(Refunding(amount=500, currency="EUR", charge_id="ch1"))


class Provider:
    """A provider that gives set answers and records its requests."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.reply, self.asked = Reply(status, body), list[tuple[str, Value]]()

    async def post(self, path: str, body: Value) -> Reply:
        """Return the set answer."""
        self.asked.append((path, body))
        return self.reply


def test_a_new_order_is_charged() -> None:
    """The fact: the provider will be asked for the total."""
    given(billing).when(CREATED).then(CHARGING, CHARGE)


def test_an_order_heard_again_is_not_charged_again() -> None:
    """The silence: neither a repeat nor a second event asks for the money twice."""
    given(billing, CREATED).when(CREATED, another(CREATED)).then_nothing()
    given(billing, CREATED, CARD_CHARGED).when(CREATED, another(CREATED)).then_nothing()


def test_a_cancellation_that_overtakes_its_order_leaves_nothing_to_charge() -> None:
    """The race: cancelled first, then created, and no charge is requested."""
    given(billing).when(CANCELLED).then(payment(Cancelled()))
    given(billing, CANCELLED).when(CREATED).then_nothing()


def test_a_charged_card_is_a_payment() -> None:
    """The fact: the customer paid."""
    given(billing, CREATED).when(CARD_CHARGED).then(CHARGED, PAID)


def test_a_refused_card_is_a_declined_payment() -> None:
    """The refusal: the provider said no."""
    given(billing, CREATED).when(CARD_REFUSED).then(payment(Declined(amount=500, currency="EUR")), DECLINED)


def test_an_answer_that_was_not_asked_for_says_nothing() -> None:
    """The silence: an answer changes only what waits for it."""
    given(billing).when(CARD_CHARGED, CARD_REFUSED, CARD_REFUNDED).then_nothing()
    given(billing, CREATED, CARD_CHARGED).when(another(CARD_CHARGED), CARD_REFUSED).then_nothing()
    given(billing, CREATED, CARD_REFUSED).when(another(CARD_REFUSED), CARD_CHARGED).then_nothing()


def test_a_cancelled_order_is_refunded() -> None:
    """The fact: the refund is requested, and then confirmed."""
    given(billing, CREATED, CARD_CHARGED).when(CANCELLED).then(REFUNDING, REFUND)
    given(billing, CREATED, CARD_CHARGED, CANCELLED).when(CARD_REFUNDED).then(
        payment(Refunded(amount=500, currency="EUR", charge_id="ch1")), REFUNDED
    )


def test_an_order_cancelled_while_the_provider_thinks_waits_for_its_answer() -> None:
    """The fact: it is not known yet whether there is anything to refund."""
    given(billing, CREATED).when(CANCELLED).then(CHARGING_CANCELLED)


def test_a_charge_that_comes_after_the_cancellation_is_refunded_at_once() -> None:
    """The race: charged although cancelled, so the money goes straight back."""
    given(billing, CREATED, CANCELLED).when(CARD_CHARGED).then(
        payment(Refunding(amount=500, currency="EUR", charge_id="ch1", cancelled_meanwhile=True)), PAID, REFUND
    )


def test_a_refusal_that_comes_after_the_cancellation_leaves_nothing_to_give_back() -> None:
    """The refusal, late: there never was any money."""
    declined = payment(Declined(amount=500, currency="EUR", cancelled_meanwhile=True))
    given(billing, CREATED, CANCELLED).when(CARD_REFUSED).then(declined, DECLINED)


def test_a_declined_payment_has_nothing_to_give_back() -> None:
    """The silence: the order was cancelled because there was no money."""
    given(billing, CREATED, CARD_REFUSED).when(CANCELLED).then_nothing()


def test_money_is_given_back_once() -> None:
    """The silence: repeated cancellations and refunds change nothing."""
    asked = (CREATED, CARD_CHARGED, CANCELLED)
    given(billing, *asked).when(CANCELLED, another(CANCELLED)).then_nothing()
    given(billing, *asked, CARD_REFUNDED).when(another(CARD_REFUNDED), another(CANCELLED)).then_nothing()
    given(billing, CREATED, CANCELLED, CARD_CHARGED).when(another(CANCELLED)).then_nothing()


def test_in_every_order_a_cancelled_order_costs_nothing() -> None:
    """Created and cancelled in either order: either no charge is requested, or it will be refunded."""
    for came in every_order(billing, (CREATED, CANCELLED)):
        assert came.facts in (
            (payment(Cancelled()),),
            (CHARGING_CANCELLED, CHARGE),
        )


def test_every_state_of_a_payment_has_an_answer() -> None:
    """No pair of state and event is forgotten, and no repeat changes anything."""
    heard: list[Event | Answer] = [CREATED, CANCELLED, CARD_CHARGED, CARD_REFUSED, CARD_REFUNDED]
    # Four of the seven states remember whether the order was cancelled meanwhile.
    assert every_state(billing, heard, CHARGED) == (7 + 4) * len(heard)


EARLIER = {"order_id": "o1", "cancelled_meanwhile": False, "charge_id": "", "amount": 0, "currency": ""}
ASKED = EARLIER | {"amount": 500, "currency": "EUR"}
TAKEN = ASKED | {"charge_id": "ch1"}


@pytest.mark.parametrize(
    ("kept", "state"),
    [
        (EARLIER | {"status": "new"}, New()),
        (ASKED | {"status": "charging"}, Charging(amount=500, currency="EUR")),
        (
            ASKED | {"status": "charging", "cancelled_meanwhile": True},
            Charging(amount=500, currency="EUR", cancelled_meanwhile=True),
        ),
        (TAKEN | {"status": "charged"}, Charged(amount=500, currency="EUR", charge_id="ch1")),
        (ASKED | {"status": "declined"}, Declined(amount=500, currency="EUR")),
        (TAKEN | {"status": "refunding"}, Refunding(amount=500, currency="EUR", charge_id="ch1")),
        (
            TAKEN | {"status": "refunded", "cancelled_meanwhile": True},
            Refunded(amount=500, currency="EUR", charge_id="ch1", cancelled_meanwhile=True),
        ),
        (EARLIER | {"status": "cancelled"}, Cancelled()),
    ],
)
def test_a_payment_that_an_earlier_release_kept_is_read_and_rewritten(kept: dict[str, Any], state: State) -> None:
    """Its row holds the fields of all states beside the id; what is written next holds only those of its own state."""
    read, wider = shown(Payment, "o1", kept)
    assert read == payment(state)
    assert not wider
    assert storable(read, kept) == {"order_id": "o1", "state": state.model_dump(mode="json")}
    assert shown(Payment, "o1", storable(read, None)) == (read, False)


@pytest.mark.parametrize(
    "kept",
    [
        {"order_id": "o1", "state": {"status": "charged", "amount": 500, "currency": "EUR"}},
        {"order_id": "o1", "state": {"status": "refunding", "amount": 500, "currency": "EUR", "charge_id": ""}},
        {"order_id": "o1", "state": {"status": "charging"}},
    ],
)
def test_a_state_that_cannot_be_is_refused(kept: dict[str, Any]) -> None:
    """A charged payment has the id of its charge, and a requested charge has an amount."""
    with pytest.raises(ValidationError):
        Payment.model_validate_json(orjson.dumps(kept))


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [(201, {"charge_id": "ch1"}, CARD_CHARGED), (402, {"reason": "no cover"}, CARD_REFUSED)],
)
async def test_the_providers_reply_becomes_an_answer(
    status: int, body: Mapping[str, Any], answer: CardCharged | CardRefused
) -> None:
    """The request is the intent unchanged, and a refusal is an answer like any other."""
    provider = Provider(status, body)
    assert await charge_card(CHARGE, provider) == answer
    assert provider.asked == [("/charges", CHARGE)]


async def test_a_decline_without_its_reason_is_still_a_decline() -> None:
    """A gateway may answer 402 with a page."""
    refused = await charge_card(CHARGE, Provider(402, {"text": "<p>declined</p>"}))
    assert refused == CardRefused(order_id="o1", reason="no reason given")


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_what_the_provider_refuses_besides_goes_to_a_person(status: int) -> None:
    """It is not a decline, and the error says what the reply was."""
    with pytest.raises(ValueError, match=f"refuses to charge o1: {status} .*no such page"):
        await charge_card(CHARGE, Provider(status, {"text": "no such page"}))


async def test_the_providers_refund_becomes_an_answer() -> None:
    """A refund names the charge it gives back."""
    provider = Provider(201, {"order_id": "o1"})
    assert await refund_card(REFUND, provider) == CARD_REFUNDED
    assert provider.asked == [("/refunds", REFUND)]
