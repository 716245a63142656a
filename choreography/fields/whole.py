"""Rules for a contract as a whole: settings that it must keep, and parts other than fields that it must not have."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from pydantic import BaseModel

from choreography.errors import DeclarationError

_KEPT: Final[dict[str, tuple[Any, str]]] = {
    "frozen": (True, "Facts and states are not changed, others are made of them"),
    "serialize_by_alias": (True, "What is written must be what the documents say"),
    "validate_by_alias": (True, "What is read must be what is written"),
    "validate_by_name": (True, "Blank entities and changed copies are made by the names of the fields"),
    "ser_json_timedelta": ("iso8601", "A number of seconds loses digits"),
    "ser_json_temporal": ("iso8601", "A number of seconds loses digits and the offset"),
    "allow_inf_nan": (False, "What is no number equals nothing, itself included"),
    "json_encoders": (None, "What is written must be what is read"),
    "use_enum_values": (False, "A default would be a member and what is read a plain value"),
    "defer_build": (False, "A contract is checked when it is imported"),
    "revalidate_instances": ("subclass-instances", "The fields of a subclass would be lost on the wire"),
    "json_schema_mode_override": (None, "One schema serves whoever writes and whoever reads"),
}


def is_template(cls: type[BaseModel]) -> bool:
    """Tell whether a generic class still has open parameters, so that only its parametrised forms can be checked."""
    return bool(cls.__pydantic_generic_metadata__["parameters"])


def is_generic(cls: type[BaseModel]) -> bool:
    """Tell whether a class is generic, or a parametrised form of a generic class."""
    return is_template(cls) or cls.__pydantic_generic_metadata__["origin"] is not None


def refuse_whole(cls: type[BaseModel], *, outlives_releases: bool) -> None:
    """Refuse settings and parts of a class that would make the written value differ from the one that is read.

    Args:
        cls: the contract.
        outlives_releases: it is stored or under way while releases change, so it must ignore unknown fields.

    Raises:
        DeclarationError: the class has such a setting or part.
    """
    name = cls.__name__
    for setting, (kept, why) in _KEPT.items():
        if cls.model_config.get(setting, kept) not in (kept, None):
            raise DeclarationError(f"{name} sets {setting}={cls.model_config[setting]!r}. {why}. Leave it out.")  # type: ignore[literal-required]
    _check_extra(cls, outlives_releases=outlives_releases)
    if cls.__private_attributes__:
        private = ", ".join(cls.__private_attributes__)
        raise DeclarationError(
            f"{name} has the private attribute {private}, which is not written, so nobody who reads it has it. "
            "Make it a field, or leave it out."
        )
    if cls.__pydantic_decorators__.computed_fields:
        computed = ", ".join(cls.__pydantic_decorators__.computed_fields)
        raise DeclarationError(
            f"{name} has the computed field {computed}, which is written and never read. Make it a plain property, or "
            "a field that whoever makes a {name} fills in.".replace("{name}", name)
        )
    _check_names(cls)


def _check_names(cls: type[BaseModel]) -> None:
    wire = {name: field.serialization_alias or name for name, field in cls.__pydantic_fields__.items()}
    for alias, times in Counter(wire.values()).items():
        if times > 1:
            raise DeclarationError(
                f"{cls.__name__} has {times} fields that are written as {alias!r}. Rename all but one."
            )
    for name, alias in wire.items():
        if alias != name and alias in wire:
            raise DeclarationError(
                f"{cls.__name__}.{name} is written as {alias!r}, which is the name of another field, so where that is "
                "missing the one would be read for the other. Rename one."
            )


def _check_extra(cls: type[BaseModel], *, outlives_releases: bool) -> None:
    extra = cls.model_config.get("extra")
    if extra == "allow":
        raise DeclarationError(
            f'{cls.__name__} sets extra="allow", so it may hold what no contract describes. Declare the fields.'
        )
    if extra == "forbid" and outlives_releases:
        raise DeclarationError(
            f'{cls.__name__} sets extra="forbid", so a release could not read what a later one writes. Leave it out: '
            "unknown fields are ignored."
        )
