"""Orders, with a row for each line in `order_lines`, and what was ordered of each SKU in `sold`."""

from sqlalchemy import Connection, text

from choreography import Committing, Decision, Entity, Event, Id, Service, Value, nothing


class Line(Value):
    """So many of something."""

    sku: Id
    quantity: int


class OrderPlaced(Event, owner="shop", subject="order_id", type="order.placed.v1"):
    """A customer wants something."""

    order_id: Id
    lines: tuple[Line, ...]


class Order(Entity, key="order_id"):
    """What is kept of it."""

    order_id: Id
    lines: tuple[Line, ...] = ()


orders = Service("orders")


@orders.on(OrderPlaced)
def keep(order: Order, placed: OrderPlaced) -> Decision:
    """Keep what is wanted, the first time it is heard."""
    return nothing if order.lines else order.but(lines=placed.lines)


class OrderLine(Value):
    """A row of the table `order_lines`: a field for each column."""

    order_id: Id
    line: int
    sku: Id
    quantity: int


@orders.projection("order_lines", key=("order_id", "line"))
def order_lines(order: Order) -> tuple[OrderLine, ...]:
    """A row for each line of an order."""
    return tuple(
        OrderLine(order_id=order.order_id, line=number, sku=line.sku, quantity=line.quantity)
        for number, line in enumerate(order.lines, start=1)
    )


@orders.in_transaction(OrderPlaced)
def count_sold(connection: Connection, committing: Committing) -> None:
    """Count what is ordered of each SKU: many orders share a row, so this is no projection."""
    for before, after in committing.changes:
        if before is None and isinstance(after, Order):
            for line in sorted(after.lines, key=lambda one: one.sku):
                connection.execute(_COUNT, {"sku": line.sku, "quantity": line.quantity})


_COUNT = text(
    "insert into sold as s (sku, quantity) values (:sku, :quantity) "
    "on conflict (sku) do update set quantity = s.quantity + excluded.quantity"
)
