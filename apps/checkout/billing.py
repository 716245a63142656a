"""Billing charges the customer through a payment provider, and refunds when the order is cancelled.

The provider is asked only after the intent is committed, always with the same key, so nobody pays twice. An order that
is cancelled while a charge is under way is refunded as soon as the provider answers that it charged.
"""

from typing import assert_never

from apps.checkout.contracts import (
    Currency,
    OrderCancelled,
    OrderCreated,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
)
from apps.checkout.payment import (
    Cancelled,
    Charged,
    Charging,
    Declined,
    New,
    Payment,
    Refunded,
    Refunding,
)
from choreography import Answer, Decision, Id, Intent, Money, Outside, Service, nothing


class Charge(Intent):
    """Ask the provider for the money."""

    order_id: Id
    customer_id: Id
    amount: Money
    currency: Currency


class Refund(Intent):
    """Ask the provider to give it back."""

    order_id: Id
    charge_id: str
    amount: Money


class CardCharged(Answer, type="card.charged.v1"):
    """The provider has the money."""

    order_id: Id
    charge_id: str


class CardRefused(Answer, type="card.refused.v1"):
    """The provider will not charge."""

    order_id: Id
    reason: str


class CardRefunded(Answer, type="card.refunded.v1"):
    """The provider gave the money back."""

    order_id: Id


billing = Service("billing", publishes=[PaymentCharged, PaymentDeclined, PaymentRefunded])


@billing.effect(outside="payment-provider")
async def charge_card(charge: Charge, provider: Outside) -> CardCharged | CardRefused:
    """Charge the customer."""
    reply = await provider.post("/charges", charge)
    if reply.status == 402:
        return CardRefused(order_id=charge.order_id, reason=str(reply.body.get("reason", "no reason given"))[:200])
    if reply.status >= 400:
        raise ValueError(f"The provider refuses to charge {charge.order_id}: {reply.status} {dict(reply.body)}")
    return CardCharged(order_id=charge.order_id, charge_id=str(reply.body["charge_id"]))


@billing.effect(outside="payment-provider")
async def refund_card(refund: Refund, provider: Outside) -> CardRefunded:
    """Refund the customer."""
    reply = await provider.post("/refunds", refund)
    if reply.status >= 400:
        raise ValueError(f"The provider refuses to refund {refund.charge_id}: {reply.status} {dict(reply.body)}")
    return CardRefunded(order_id=refund.order_id)


@billing.on(OrderCreated)
def charge(payment: Payment, created: OrderCreated) -> Decision[Charge]:
    """Charge for a new order, unless its cancellation came first."""
    match payment.state:
        case New():
            intent = Charge(
                order_id=created.order_id,
                customer_id=created.customer_id,
                amount=created.total,
                currency=created.currency,
            )
            return payment.but(state=Charging(amount=created.total, currency=created.currency)), intent
        case Charging() | Charged() | Declined() | Refunding() | Refunded() | Cancelled():
            return nothing
        case unreachable:
            assert_never(unreachable)


@billing.on(CardCharged)
def record_charge(payment: Payment, answer: CardCharged) -> Decision[PaymentCharged | Refund]:
    """The customer paid; if the order was cancelled meanwhile, give it back at once."""
    match payment.state:
        case Charging(amount=amount, currency=currency, cancelled_meanwhile=cancelled):
            charged = Charged(amount=amount, currency=currency, charge_id=answer.charge_id)
            fact = PaymentCharged(order_id=payment.order_id, amount=amount, currency=currency)
            if cancelled:
                return payment.but(state=_refunding(charged, cancelled_meanwhile=True)), fact, _refund(payment, charged)
            return payment.but(state=charged), fact
        case New() | Charged() | Declined() | Refunding() | Refunded() | Cancelled():
            return nothing
        case unreachable:
            assert_never(unreachable)


@billing.on(CardRefused)
def record_refusal(payment: Payment, answer: CardRefused) -> Decision[PaymentDeclined]:
    """The customer did not pay."""
    match payment.state:
        case Charging(amount=amount, currency=currency, cancelled_meanwhile=cancelled):
            declined = Declined(amount=amount, currency=currency, cancelled_meanwhile=cancelled)
            return payment.but(state=declined), PaymentDeclined(
                order_id=payment.order_id, amount=amount, currency=currency, reason=answer.reason
            )
        case New() | Charged() | Declined() | Refunding() | Refunded() | Cancelled():
            return nothing
        case unreachable:
            assert_never(unreachable)


@billing.on(OrderCancelled)
def give_back(payment: Payment, cancelled: OrderCancelled) -> Decision[Refund]:
    """Refund what was charged, now or as soon as the provider has answered."""
    match payment.state:
        case New():
            return payment.but(state=Cancelled())
        case Charging(amount=amount, currency=currency):
            return payment.but(state=Charging(amount=amount, currency=currency, cancelled_meanwhile=True))
        case Charged() as charged:
            return payment.but(state=_refunding(charged)), _refund(payment, charged)
        case Declined() | Refunding() | Refunded() | Cancelled():
            return nothing
        case unreachable:
            assert_never(unreachable)


@billing.on(CardRefunded)
def record_refund(payment: Payment, answer: CardRefunded) -> Decision[PaymentRefunded]:
    """The customer has the money back."""
    match payment.state:
        case Refunding(amount=amount, currency=currency, charge_id=charge_id, cancelled_meanwhile=cancelled):
            refunded = Refunded(amount=amount, currency=currency, charge_id=charge_id, cancelled_meanwhile=cancelled)
            return payment.but(state=refunded), PaymentRefunded(
                order_id=payment.order_id, amount=amount, currency=currency
            )
        case New() | Charging() | Charged() | Declined() | Refunded() | Cancelled():
            return nothing
        case unreachable:
            assert_never(unreachable)


def _refunding(charged: Charged, *, cancelled_meanwhile: bool = False) -> Refunding:
    return Refunding(
        amount=charged.amount,
        currency=charged.currency,
        charge_id=charged.charge_id,
        cancelled_meanwhile=cancelled_meanwhile,
    )


def _refund(payment: Payment, charged: Charged) -> Refund:
    return Refund(order_id=payment.order_id, charge_id=charged.charge_id, amount=charged.amount)
