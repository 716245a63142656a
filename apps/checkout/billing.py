"""Billing charges the customer through a payment provider, and refunds when the order is cancelled.

The provider is asked only after the wish is committed, always with the same key, so nobody pays twice. An order
cancelled while the provider is thinking is refunded as soon as it says that it charged.
"""

from typing import Literal

from apps.checkout.contracts import (
    Currency,
    OrderCancelled,
    OrderCreated,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
)
from choreography import Answer, Decision, Entity, Id, Intent, Money, Outside, Service, nothing


class Payment(Entity, key="order_id"):
    """Where one order's money is."""

    order_id: Id
    status: Literal["new", "charging", "charged", "declined", "refunding", "refunded", "cancelled"] = "new"
    cancelled_meanwhile: bool = False
    charge_id: str = ""
    amount: Money = 0
    currency: str = ""


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
    if payment.status != "new":
        return nothing
    wish = Charge(
        order_id=created.order_id,
        customer_id=created.customer_id,
        amount=created.total,
        currency=created.currency,
    )
    return payment.but(status="charging", amount=created.total, currency=created.currency), wish


@billing.on(CardCharged)
def record_charge(payment: Payment, answer: CardCharged) -> Decision[PaymentCharged | Refund]:
    """The customer paid; if the order was cancelled meanwhile, give it back at once."""
    if payment.status != "charging":
        return nothing
    charged = payment.but(status="charged", charge_id=answer.charge_id)
    fact = PaymentCharged(order_id=payment.order_id, amount=payment.amount, currency=payment.currency)
    if payment.cancelled_meanwhile:
        return charged.but(status="refunding"), fact, _refund(charged)
    return charged, fact


@billing.on(CardRefused)
def record_refusal(payment: Payment, answer: CardRefused) -> Decision[PaymentDeclined]:
    """The customer did not pay."""
    if payment.status != "charging":
        return nothing
    return payment.but(status="declined"), PaymentDeclined(
        order_id=payment.order_id, amount=payment.amount, currency=payment.currency, reason=answer.reason
    )


@billing.on(OrderCancelled)
def give_back(payment: Payment, cancelled: OrderCancelled) -> Decision[Refund]:
    """Refund what was charged, now or as soon as the provider has answered."""
    match payment.status:
        case "new":
            return payment.but(status="cancelled")
        case "charging":
            return payment.but(cancelled_meanwhile=True)
        case "charged":
            return payment.but(status="refunding"), _refund(payment)
        case "declined" | "refunding" | "refunded" | "cancelled":
            return nothing


@billing.on(CardRefunded)
def record_refund(payment: Payment, answer: CardRefunded) -> Decision[PaymentRefunded]:
    """The customer has the money back."""
    if payment.status != "refunding":
        return nothing
    return payment.but(status="refunded"), PaymentRefunded(
        order_id=payment.order_id, amount=payment.amount, currency=payment.currency
    )


def _refund(payment: Payment) -> Refund:
    return Refund(order_id=payment.order_id, charge_id=payment.charge_id, amount=payment.amount)
