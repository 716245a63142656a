"""The shapes of what is asked and answered. Unknown fields are refused: a misspelt one would be lost."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from apps.payment_provider.faults import LARGEST_AMOUNT

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Amount = Annotated[int, Field(strict=True, ge=1, le=LARGEST_AMOUNT, description="In minor units.")]


class Charge(BaseModel):
    """A request to take money for an order."""

    model_config = ConfigDict(extra="forbid")

    order_id: Identifier
    customer_id: Identifier
    amount: Amount
    currency: str = Field(pattern=r"^[A-Za-z]{3}$", description="Three letters, as in EUR.")


class Refund(BaseModel):
    """A request to give back a charge or a part of it."""

    model_config = ConfigDict(extra="forbid")

    order_id: Identifier
    charge_id: Identifier
    amount: Amount


class Problem(BaseModel):
    """Why a request was refused, and what to do."""

    detail: str


class Declined(BaseModel):
    """The provider's no; it stays a no for this key."""

    reason: str


class Charged(BaseModel):
    """The provider's yes."""

    charge_id: str
    order_id: str
    amount: int
    currency: str
    status: str = "charged"


class Refunded(BaseModel):
    """Money that went back."""

    refund_id: str
    charge_id: str
    order_id: str
    amount: int
    currency: str
    status: str = "refunded"


class Sums(BaseModel):
    """Totals over the whole ledger, in minor units, whatever their currency."""

    charged: int
    refunded: int
    charges: int
    refunds: int
    declined: int


class OfOrder(BaseModel):
    """What happened to one order. An order nobody charged has three empty lists."""

    order_id: str
    charges: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    declines: list[dict[str, Any]]
    complete: bool = Field(description="False when there is more; read /ledger/entries then.")


class Entries(BaseModel):
    """One page of the ledger."""

    entries: list[dict[str, Any]]
    next: int | None = Field(description="Ask for the next page after this number; null on the last page.")
