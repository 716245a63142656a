"""The contracts that services share: values, events, entities, intents, answers and deadlines.

All of them are frozen pydantic models made of immutable, exactly serialisable fields, and all of that is checked when
the class is created (see `choreography.fields`), so a float for money fails at import and not in a ledger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import ConfigDict, Field

from choreography.errors import DeclarationError
from choreography.families import family_of, warn_of_topic
from choreography.fields import MAX_SAFE_INTEGER, Value, as_key, is_generic, is_template, refuse_as_key

__all__ = [
    "Answer",
    "ChoreographyFieldError",
    "Deadline",
    "Entity",
    "Event",
    "Gone",
    "Id",
    "Intent",
    "Money",
    "Request",
    "Value",
]

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f\ufffd]+$")]
"""A logical id: bounded and printable, so that every store, broker and log line can hold it.

>>> class Visit(Request):
...     guest_id: Id
>>> Visit(guest_id="two\\nlines")
Traceback (most recent call last):
pydantic_core._pydantic_core.ValidationError: String should match pattern
"""

Money = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)]
"""An amount in the minor unit of its currency (cents), never a float.

>>> class Price(Value):
...     amount: Money
>>> Price(amount=1999)
Price(amount=1999)
"""

_WIRE_TYPE = re.compile(r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+\.v[1-9][0-9]*$")
_KIND = re.compile(r"^[a-z][a-z0-9-]{0,62}$")
LIBRARY_KINDS: Final = frozenset(
    {"accepted", "accepted-about", "accepted-slot", "canary", "intent", "not-yet", "outcome", "probe", "replica"}
    | {"to-publish"}
)
"""Kinds of records that the library keeps for itself, in the same store."""


class Request(Value):
    """The body of a command. Unlike an event it refuses unknown fields: a misspelt field must not be ignored.

    >>> class NewOrder(Request):
    ...     sku: Id
    >>> NewOrder(sku="cup", quantitty=2)
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: Extra inputs are not permitted
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Event(Value):
    """An immutable fact in the past tense.

    Class arguments, inherited by subclasses:
        type: the wire type, such as ``order.created.v1``. A class without one is an abstract base. All versions share a
            topic, ``order.created``.
        owner: the service that publishes it: its Dapr app id, which is the source of the event.
        subject: the field that names the subject of the fact, such as ``order_id``.
        undoes: the event whose effect this one takes back.
        final: no service needs to react to it.
        topic: accepted and ignored, for programs written when a service had one topic for all of its events.

    >>> class OrderCreated(Event, type="order.created.v1", owner="order", subject="order_id"):
    ...     order_id: Id
    >>> OrderCreated(order_id="o1").subject
    'o1'
    """

    outlives_releases: ClassVar[bool] = True
    wire_type: ClassVar[str] = ""
    topic: ClassVar[str] = ""
    owned_by: ClassVar[str] = ""
    names_topic: ClassVar[bool] = False
    subject_field: ClassVar[str] = ""
    undoes: ClassVar[type[Event] | None] = None
    undone_by: ClassVar[tuple[type[Event], ...]] = ()
    final: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        type: str = "",  # noqa: A002 # the class line reads best with the plain word
        owner: str = "",
        subject: str = "",
        undoes: type[Event] | None = None,
        final: bool = False,
        topic: str = "",
        **_: Any,
    ) -> None:
        """Check and remember what the class line declares."""
        super().__pydantic_init_subclass__()
        cls.wire_type, cls.undoes, cls.undone_by, cls.final = type, undoes, (), final
        cls.topic, cls.owned_by = family_of(type), owner or cls.owned_by
        cls.subject_field = subject or cls.subject_field
        if topic:
            cls.names_topic = True
            warn_of_topic(cls.__name__, 'Name the service that publishes it instead: owner="order".', depth=2)
        if type:
            cls._check_wire()
        if undoes is not None:
            undoes.undone_by += (cls,)

    @classmethod
    def _check_wire(cls) -> None:
        if not _WIRE_TYPE.match(cls.wire_type):
            raise DeclarationError(
                f"{cls.__name__} has the wire type {cls.wire_type!r}, which consumers cannot version. "
                'Write it as dotted lower-case words ending in a version: "order.created.v1".'
            )
        if is_template(cls):
            raise DeclarationError(
                f"{cls.__name__} has a wire type and leaves open what it holds. Give the type to a class that says it: "
                f'class {cls.__name__}Int({cls.__name__}[int], type="{cls.wire_type}").'
            )
        if cls.owned_by and not _KIND.match(cls.owned_by):
            raise DeclarationError(
                f"{cls.__name__} has the owner {cls.owned_by!r}, which cannot be a Dapr app id. Name the service that "
                "publishes it: lower-case letters, digits and hyphens."
            )
        if cls.subject_field in cls.model_fields:
            refuse_as_key(cls.model_fields[cls.subject_field].annotation, f"{cls.__name__}.{cls.subject_field}")
        else:
            raise DeclarationError(
                f"{cls.__name__} names {cls.subject_field!r} as its subject, which is not one of its fields "
                f'({", ".join(cls.model_fields)}). Add subject="<field>" to it or to its base class.'
            )

    @property
    def subject(self) -> str:
        """The subject of this fact, as text."""
        return as_key(getattr(self, self.subject_field))


class Answer(Value):
    """An event made of the reply of the outside to an effect. Only the service's own reactions consume it.

    Class arguments: ``type``, a frozen wire type as for events.

    >>> class CardCharged(Answer, type="card.charged.v1"):
    ...     order_id: Id
    >>> CardCharged.wire_type
    'card.charged.v1'
    """

    outlives_releases: ClassVar[bool] = True
    wire_type: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, *, type: str = "", **_: Any) -> None:  # noqa: A002 # as for events
        """Check and remember the wire type."""
        super().__pydantic_init_subclass__()
        cls.wire_type = type
        if not type and is_generic(cls):
            # An abstract base: a reaction needs a subclass with a type of its own.
            return
        if not _WIRE_TYPE.match(type):
            raise DeclarationError(
                f"The answer {cls.__name__} needs a frozen wire type, so that what was recorded under it stays "
                "readable: class " + cls.__name__ + '(Answer, type="card.charged.v1").'
            )


class Intent(Value):
    """A decided request to the outside. It is committed first, carried out afterwards, and never reconsidered.

    >>> class Charge(Intent):
    ...     order_id: Id
    ...     amount: Money
    >>> Charge(order_id="o1", amount=1999)
    Charge(order_id='o1', amount=1999)
    """

    outlives_releases: ClassVar[bool] = True


class Deadline(Value):
    """A fired deadline, as the reaction of the deadline receives it.

    >>> Deadline(name="overdue", due="2026-01-01T12:00:00Z").due.year
    2026
    """

    name: str
    due: datetime


class Entity(Value):
    """The state of one thing, owned by one service.

    Class arguments:
        key: the field that identifies it.
        kind: its frozen name in the store; the lower-cased class name unless given.
        drops: dotted paths of fields that an earlier release kept and no code needs any more, such as ``lines.note``.
            Any other stored field that this release does not know is kept as it is.

    >>> class Shelf(Entity, key="sku"):
    ...     sku: Id
    ...     available: int = 0
    >>> Shelf(sku="cup").but(available=3)
    Shelf(sku='cup', available=3)
    """

    outlives_releases: ClassVar[bool] = True
    key_field: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    drops: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, *, key: str = "", kind: str = "", drops: Iterable[str] = (), **_: Any) -> None:
        """Check and remember the key."""
        super().__pydantic_init_subclass__()
        cls.key_field, cls.kind = key or cls.key_field, kind or _kind_of(cls)
        cls.drops = tuple(drops)
        if cls.key_field in cls.model_fields:
            refuse_as_key(cls.model_fields[cls.key_field].annotation, f"{cls.__name__}.{cls.key_field}")
        else:
            raise DeclarationError(
                f"The entity {cls.__name__} needs a key among its fields ({', '.join(cls.model_fields)}): "
                f'class {cls.__name__}(Entity, key="order_id").'
            )
        if not _KIND.match(cls.kind):
            raise DeclarationError(
                f"The entity {cls.__name__} would be kept as {cls.kind!r}, which stores and URLs may cut or confuse. "
                'Use lower-case letters, digits and hyphens: kind="order-line".'
            )
        if cls.kind in LIBRARY_KINDS:
            raise DeclarationError(
                f"The entity {cls.__name__} would be kept as {cls.kind!r}, which the library keeps for itself. "
                f'Give it another kind: class {cls.__name__}(Entity, key="...", kind="...").'
            )

    @property
    def key(self) -> str:
        """Its logical id."""
        return as_key(getattr(self, self.key_field))

    def but(self, **changes: Any) -> Self:
        """Return a validated copy with some fields changed. Unknown fields are refused."""
        entity = type(self)
        if unknown := changes.keys() - entity.__pydantic_fields__.keys():
            raise ChoreographyFieldError(entity, unknown)
        return entity(**(self.__dict__ | changes))

    def gone(self) -> Gone:
        """Return the decision to delete this entity. A tombstone stays until no old delivery can come back."""
        return Gone(self)

    @classmethod
    def can_be_blank(cls) -> bool:
        """Tell whether a reaction can be shown a missing entity as an entity with only its key set."""
        return all(not field.is_required() for name, field in cls.model_fields.items() if name != cls.key_field)


def _kind_of(entity: type[Entity]) -> str:
    name = entity.__name__.lower()
    return re.sub(r"\W+", "-", name).strip("-") if is_generic(entity) else name


class Gone:
    """A decision to delete an entity."""

    __slots__ = ("entity",)

    def __init__(self, entity: Entity) -> None:
        self.entity = entity


class ChoreographyFieldError(TypeError):
    """A changed copy named a field that the entity does not have."""

    def __init__(self, entity: type[Entity], unknown: set[str]) -> None:
        known = ", ".join(entity.model_fields)
        super().__init__(f"{entity.__name__} has no field {', '.join(sorted(unknown))}; it has {known}.")
