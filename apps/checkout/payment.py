"""Billing keeps one payment for each order. It is in exactly one state, and each state has its own data."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from apps.checkout.contracts import Currency
from choreography import Entity, Id, Money, Value

ChargeId = Annotated[str, Field(min_length=1)]


class New(Value):
    """Nothing was asked of the payment provider."""

    status: Literal["new"] = "new"


class Asked(Value):
    """The provider was asked for the money."""

    amount: Money
    currency: Currency


class Charging(Asked):
    """The provider has not answered yet."""

    status: Literal["charging"] = "charging"
    cancelled_meanwhile: bool = False


class Charged(Asked):
    """The provider has the money."""

    status: Literal["charged"] = "charged"
    charge_id: ChargeId


class Declined(Asked):
    """The provider refused."""

    status: Literal["declined"] = "declined"
    cancelled_meanwhile: bool = False


class Refunding(Asked):
    """The provider has the money and was asked to give it back."""

    status: Literal["refunding"] = "refunding"
    charge_id: ChargeId
    cancelled_meanwhile: bool = False


class Refunded(Asked):
    """The customer has the money back."""

    status: Literal["refunded"] = "refunded"
    charge_id: ChargeId
    cancelled_meanwhile: bool = False


class Cancelled(Value):
    """The order was cancelled before the provider was asked."""

    status: Literal["cancelled"] = "cancelled"


State: TypeAlias = New | Charging | Charged | Declined | Refunding | Refunded | Cancelled


class Payment(Entity, key="order_id", drops=("status", "cancelled_meanwhile", "charge_id", "amount", "currency")):
    """Where one order's money is."""

    order_id: Id
    state: Annotated[State, Field(discriminator="status")] = New()

    @property
    def status(self) -> str:
        """The name of the state."""
        return self.state.status

    @model_validator(mode="before")
    @classmethod
    def read_earlier_release(cls, kept: Any) -> Any:
        """Read a payment that an earlier release wrote: it kept the fields of all states beside the order's id."""
        if isinstance(kept, dict) and "status" in kept and "state" not in kept:
            return {"order_id": kept.get("order_id"), "state": kept}
        return kept
