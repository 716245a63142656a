"""The events of the flow, told apart by their type."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Line(BaseModel):
    """So many of one thing."""

    sku: str
    quantity: int = Field(ge=1)
    unit_price: int = Field(ge=1)


class OrderCreated(BaseModel):
    """A customer ordered."""

    type: Literal["order.created.v1"] = "order.created.v1"
    order_id: str
    customer_id: str
    currency: str
    lines: list[Line]
    total: int


class OrderCompleted(BaseModel):
    """The order was dispatched."""

    type: Literal["order.completed.v1"] = "order.completed.v1"
    order_id: str
    customer_id: str


class OrderCancelled(BaseModel):
    """The order will not be fulfilled."""

    type: Literal["order.cancelled.v1"] = "order.cancelled.v1"
    order_id: str
    customer_id: str
    reason: str
    lines: list[Line]


class StockAdded(BaseModel):
    """Goods came in."""

    type: Literal["stock.added.v1"] = "stock.added.v1"
    sku: str
    quantity: int


class StockReserved(BaseModel):
    """Every line was set aside."""

    type: Literal["stock.reserved.v1"] = "stock.reserved.v1"
    order_id: str


class StockRejected(BaseModel):
    """A line could not be had."""

    type: Literal["stock.rejected.v1"] = "stock.rejected.v1"
    order_id: str
    reason: str


class StockReleased(BaseModel):
    """What had been set aside is back."""

    type: Literal["stock.released.v1"] = "stock.released.v1"
    order_id: str


class PaymentCharged(BaseModel):
    """The customer paid."""

    type: Literal["payment.charged.v1"] = "payment.charged.v1"
    order_id: str
    amount: int
    currency: str


class PaymentDeclined(BaseModel):
    """The provider refused."""

    type: Literal["payment.declined.v1"] = "payment.declined.v1"
    order_id: str
    amount: int
    currency: str
    reason: str


class PaymentRefunded(BaseModel):
    """The customer has the money back."""

    type: Literal["payment.refunded.v1"] = "payment.refunded.v1"
    order_id: str
    amount: int
    currency: str


class ShipmentDispatched(BaseModel):
    """The parcel has left."""

    type: Literal["shipment.dispatched.v1"] = "shipment.dispatched.v1"
    order_id: str


OrderEvent = Annotated[OrderCreated | OrderCompleted | OrderCancelled, Field(discriminator="type")]
StockEvent = Annotated[StockAdded | StockReserved | StockRejected | StockReleased, Field(discriminator="type")]
PaymentEvent = Annotated[PaymentCharged | PaymentDeclined | PaymentRefunded, Field(discriminator="type")]
