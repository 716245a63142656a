"""Annotations of parameters besides the type: the field with the ids of entities, and the mark of a fresh id."""

from __future__ import annotations

from typing import Annotated


class NamedBy:
    """The field of an event that holds the ids of entities, as a dotted path such as ``lines.sku``."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


def named_by(path: str) -> NamedBy:
    """Declare which field of an event holds the ids of entities.

    ``Annotated[Mapping[str, Shelf], named_by("lines.sku")]`` means every shelf that a line of the event names.

    >>> from typing import Annotated
    >>> class Moved(Event, type="box.moved.v1", owner="store", subject="box_id"):
    ...     box_id: Id
    ...     shelf_id: Id
    >>> class Shelf(Entity, key="sku"):
    ...     sku: Id
    ...     boxes: int = 0
    >>> store = Service("store")
    >>> @store.on(Moved)
    ... def shelve(shelf: Annotated[Shelf, named_by("shelf_id")], moved: Moved) -> Decision:
    ...     return shelf.but(boxes=shelf.boxes + 1)
    """
    return NamedBy(path)


class _NewIdMarker:
    __slots__ = ()


NewId = Annotated[str, _NewIdMarker()]
"""A command's parameter that receives a fresh id derived from its Idempotency-Key: a retry gets the same one.

>>> class OrderPlaced(Event, type="order.placed.v1", owner="order", subject="order_id"):
...     order_id: Id
>>> class NewOrder(Request):
...     sku: Id
>>> order = Service("order", publishes=[OrderPlaced])
>>> @order.command("POST /orders")
... def place(new: NewOrder, order_id: NewId) -> OrderPlaced:
...     return OrderPlaced(order_id=order_id)
"""


def is_new_id(annotation: object) -> bool:
    """Tell whether a parameter's annotation is :data:`NewId`."""
    return any(isinstance(extra, _NewIdMarker) for extra in getattr(annotation, "__metadata__", ()))
