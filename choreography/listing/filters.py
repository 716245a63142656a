"""One field by which a list may be filtered, and the one text that represents each of its values in an index.

Equal values have equal texts, however they were written: ``1.10`` is ``1.1``, and noon in Paris is eleven in London. A
store makes the same texts from stored states (see ``choreography.stores.listed``), so the texts of a form must never
change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final, Self
from uuid import UUID

import orjson
from pydantic import ValidationError, create_model
from pydantic.fields import FieldInfo

from choreography.contracts import Entity
from choreography.errors import DeclarationError
from choreography.fields import Value, plain_types
from choreography.fields.spellings import spellings

NULL: Final = "-"
"""The text of null; the text of every other value begins with an equals sign."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Form(StrEnum):
    """The form of a field's values on the wire, which determines the values that are equal."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"
    DECIMAL = "decimal"


_FORMS: Final[tuple[tuple[type, Form], ...]] = (
    (bool, Form.FLAG),
    (int, Form.NUMBER),
    (datetime, Form.MOMENT),
    (Decimal, Form.DECIMAL),
    (str, Form.TEXT),
    (date, Form.TEXT),
    (timedelta, Form.TEXT),
    (UUID, Form.TEXT),
)
_JSON: Final = {Form.NUMBER: re.compile(r"-?(0|[1-9][0-9]*)"), Form.FLAG: re.compile("true|false")}
_SPOKEN: Final = {Form.NUMBER: "an integer", Form.FLAG: "true or false"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a list.

    Attributes:
        name: the name of the parameter, which is the name of the field on the wire.
        form: the form of its values.
        optional: whether the field may be null.
        spellings: the names under which a state may hold the field, the newest first.
        missing: the text for a state that was stored before the field existed.
        model: a contract with this one field, which reads and refuses values as the entity does.
        field: the field of the entity.
    """

    name: str
    form: Form
    optional: bool
    spellings: tuple[str, ...]
    missing: str
    model: type[Value]
    field: str

    @classmethod
    def of(cls, entity: type[Entity], field: str) -> Self:
        """Return the filter for a field of an entity.

        Raises:
            DeclarationError: the values of the field cannot be compared.
        """
        info = entity.model_fields[field]
        form, optional = _form_of(info.annotation, f"{entity.__name__}.{field}")
        model = _alone(entity, field, info)
        missing = NULL if info.is_required() else index_text(form, _dumped(model(), field))
        name = info.serialization_alias or field
        return cls(name, form, optional, spellings(entity, field), missing, model, field)

    @property
    def key(self) -> str:
        """The name under which a store keeps the texts: it changes if the same state would give another text."""
        told = json.dumps([self.spellings, self.form, self.missing])
        return f"{self.field}_{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    def read(self, text: str) -> str:
        """Return the index text for a value in a URL.

        Raises:
            ValueError: the text is no value of this field; the message says why.
        """
        if "\x00" in text:
            raise ValueError("it holds a NUL, which no database compares")
        pattern = _JSON.get(self.form)
        if pattern is not None and not pattern.fullmatch(text):
            raise ValueError(f"it must be {_SPOKEN[self.form]}")
        plain = text if pattern is not None else orjson.dumps(text).decode()
        try:
            # The model's only field, by its Python name, which may differ from its name on the wire.
            value = self.model.model_validate_json(f'{{"{self.field}":{plain}}}')
        except ValidationError as error:
            raise ValueError(error.errors(include_url=False, include_input=False)[0]["msg"]) from error
        return index_text(self.form, _dumped(value, self.field))

    def kept_in(self, state: Mapping[str, Any]) -> str:
        """Return the index text for a stored state, as every store makes it."""
        for spelling in self.spellings:
            if spelling in state:
                return index_text(self.form, state[spelling])
        return self.missing

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values other than null."""
        whole = self.model.model_json_schema(by_alias=False)
        schema = _without_null(_resolved(whole["properties"][self.field], whole.get("$defs", {})))
        return {word: part for word, part in schema.items() if word not in ("title", "default")}


def index_text(form: Form, value: Any) -> str:
    """Return the index text for a value in its stored form."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "=true" if value else "=false"
    text = str(value)
    if form is Form.DECIMAL:
        text = _decimal_text(Decimal(text))
    elif form is Form.MOMENT:
        text = str((datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND)
    return f"={text}"


def _dumped(value: Value, field: str) -> Any:
    return value.model_dump(mode="json", by_alias=False)[field]


def _decimal_text(number: Decimal) -> str:
    sign, digits, _ = number.as_tuple()
    text = "".join(map(str, digits)).strip("0")
    return f"{'-' if sign else ''}{text}e{number.adjusted()}" if text else "0"


def _form_of(annotation: Any, where: str) -> tuple[Form, bool]:
    kinds = set(plain_types(annotation))
    optional = type(None) in kinds
    forms = {_form_of_type(kind) for kind in kinds - {type(None)}}
    if len(forms) != 1 or None in forms:
        raise DeclarationError(
            f"{where} is {annotation!r}, and a list cannot be asked for by that. A filter is a str, an int, a bool, a "
            "Literal, an Enum, a date, a datetime, a timedelta, a Decimal or a UUID, which may be None. Filter by "
            "another field, or add one to the entity that says what you look for."
        )
    return next(form for form in forms if form is not None), optional


def _form_of_type(kind: type) -> Form | None:
    if issubclass(kind, Enum) and not issubclass(kind, (str, int)):
        forms = {_form_of_type(type(member.value)) for member in kind}
        return forms.pop() if len(forms) == 1 else None
    return next((form for known, form in _FORMS if issubclass(kind, known)), None)


def _alone(entity: type[Entity], field: str, info: FieldInfo) -> type[Value]:
    made: type[Value] = create_model(
        f"{entity.__name__}{field.title().replace('_', '')}",
        __base__=Value,
        __module__=entity.__module__,
        **{field: (info.annotation, info)},  # type: ignore[call-overload]
    )
    return made


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            rest = {word: part for word, part in schema.items() if word != "$ref"}
            return {**_resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions), **rest}
        return {word: _resolved(part, definitions) for word, part in schema.items()}
    if isinstance(schema, list):
        return [_resolved(part, definitions) for part in schema]
    return schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        schema = schema | {"enum": [value for value in schema["enum"] if value is not None]}
    if "anyOf" in schema:
        choices = [_without_null(one) for one in schema["anyOf"] if one.get("type") != "null"]
        rest = {word: part for word, part in schema.items() if word != "anyOf"}
        return {**choices[0], **rest} if len(choices) == 1 else {**rest, "anyOf": choices}
    return schema
