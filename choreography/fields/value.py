"""The base of all contracts: a frozen pydantic model whose fields come back exactly."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from choreography.errors import DeclarationError
from choreography.fields.exact import Exact
from choreography.fields.proof import prove
from choreography.fields.whole import is_template, refuse_whole


class Value(BaseModel):
    """An immutable part of an event or an entity, such as one line of an order.

    >>> class Line(Value):
    ...     sku: str
    ...     quantity: int = 1
    >>> Line(sku="cup").quantity = 2
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: Instance is frozen
    """

    outlives_releases: ClassVar[bool] = False
    """It is kept or on its way while releases change, so it must be readable by earlier ones."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
        revalidate_instances="subclass-instances",
        # A type that pydantic does not know must be refused by our error, which names the alternative.
        arbitrary_types_allowed=True,
    )

    def __init_subclass__(cls, **_: Any) -> None:
        """Let subclasses declare class arguments, which pydantic passes on; refuse fields that hide shared names."""
        super().__init_subclass__()
        ours = [base for base in cls.__mro__[1:] if base.__module__.startswith("choreography.")]
        for name, hint in inspect.get_annotations(cls).items():
            hidden = next((base.__name__ for base in ours if name in vars(base) and "ClassVar" not in str(hint)), "")
            if hidden:
                raise DeclarationError(
                    f"{cls.__name__} has a field named {name!r}, which hides what every {hidden} has under that name. "
                    f"Call it by what it is, such as order_id; Field(alias={name!r}) keeps the name on the wire."
                )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuse fields that could change unnoticed or lose something on the wire; make the others exact."""
        schema = handler(source)
        if is_template(cls) or not cls.__pydantic_fields__ or cls.__dict__.get("__pydantic_complete__"):
            return schema
        return Exact(cls, Value, handler).model(schema)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Refuse settings that break the rules of all contracts, and run the checks that need the finished class."""
        super().__pydantic_on_complete__()
        refuse_whole(cls, outlives_releases=cls.outlives_releases)
        if cls.__pydantic_fields__ and not is_template(cls):
            prove(cls)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Refuse such settings even if the class cannot be finished yet."""
        refuse_whole(cls, outlives_releases=cls.outlives_releases)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy. Unlike pydantic's, it validates the updated values, so every contract stays valid."""
        copied = super().model_copy(deep=deep)
        return type(self)(**(copied.__dict__ | dict(update))) if update else copied
