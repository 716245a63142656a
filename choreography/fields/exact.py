"""Walks pydantic's schema of a contract's fields: refuses the fields that cannot be exact, and makes the rest exact.

This works on pydantic's core schema and not on annotations, because in the schema aliases of types, NewType, Annotated
and generics are resolved.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from enum import Enum, Flag
from typing import Any, Final, NoReturn

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from choreography.errors import DeclarationError
from choreography.fields.frozen import FrozenDict
from choreography.fields.key_types import spoken
from choreography.fields.leaves import MAX_SAFE_INTEGER, Node, exact_decimal, exact_duration, exact_int, exact_moment
from choreography.fields.unions import base_of, mixed_up, shapes
from choreography.fields.whole import is_template

_CONSTRUCTORS: Final = (tuple, dict, str, int, bool)
"""Default factories that return the same whenever they are called, and nothing that can change."""

_AS_IT_IS: Final = frozenset({"str", "bool", "none", "date", "uuid"})
_AROUND: Final = frozenset({"nullable", "function-before", "function-after", "function-wrap", "custom-error"})
_COLLECTIONS: Final = frozenset({"list", "set", "frozenset", "generator"})

_USE: Final = (
    "Use str, int, bool, Decimal, date, datetime, timedelta, UUID, an Enum, a Literal, a tuple, a dict[str, ...] or a "
    "Value instead."
)


class Exact:
    """The walk over one class.

    Args:
        cls: the contract.
        value: the base class of all contracts.
        handler: pydantic's handler, which resolves references and generates further schemas.
    """

    def __init__(self, cls: type[BaseModel], value: type[BaseModel], handler: GetCoreSchemaHandler) -> None:
        self._cls, self._value, self._handler = cls, value, handler
        self._field, self._seen = "", set[str]()

    def model(self, schema: CoreSchema) -> CoreSchema:
        """Return the schema of the whole class, made exact.

        Raises:
            DeclarationError: a part of it cannot be carried exactly.
        """
        node: Node = dict(schema)
        if "serialization" in node:
            self._refuse(f"{self._cls.__name__} has a serializer of its own", _SERIALIZER)
        if node["type"] == "model-fields":
            node["fields"] = {name: self._of_field(name, field) for name, field in node["fields"].items()}
        elif "schema" in node:
            node["schema"] = self.model(node["schema"])
        return node

    def _of_field(self, name: str, field: Node) -> Node:
        self._field = name
        if field.get("serialization_exclude") or field.get("serialization_exclude_if"):
            self._refuse(f"{self._where} is left out of what is written", "Leave the field out, or let it be written.")
        self._check_alias(name, field)
        return field | {"schema": self._walk(field["schema"])}

    def _check_alias(self, name: str, field: Node) -> None:
        written, read = field.get("serialization_alias", name), field.get("validation_alias", name)
        first = read[0][0] if isinstance(read, list) and isinstance(read[0], list) and len(read[0]) == 1 else read
        if written != first:
            self._refuse(
                f"{self._where} is written as {written!r} and read as {first!r}",
                f'Give it one name for both: Field(alias="{written if written != name else first}").',
            )

    def _walk(self, node: Node) -> Node:
        kind: str = node["type"]
        if "serialization" in node and kind not in ("json-or-python", "lax-or-strict"):
            self._refuse(f"{self._where} has a serializer of its own", _SERIALIZER)
        own = getattr(self, "_" + kind.replace("-", "_"), None)
        if own is not None:
            return own(node)  # type: ignore[no-any-return]
        if kind in _AS_IT_IS:
            return self._refuse_clocks(node)
        if kind in _AROUND:
            return node | {"schema": self._walk(node["schema"])}
        return self._refuse_kind(kind)

    def _refuse_kind(self, kind: str) -> NoReturn:
        if kind in _COLLECTIONS:
            self._refuse_type("can be changed after the fact, or has no order", "Use a tuple of values instead.")
        self._refuse_type("cannot be written and read back exactly", _USE)

    def _float(self, _: Node) -> NoReturn:
        self._refuse_type(
            "changes on its way through brokers and stores", "Use Decimal, or an integer in the minor unit (Money)."
        )

    def _json_or_python(self, node: Node) -> NoReturn:
        self._refuse_kind(node["json_schema"]["type"])

    def _int(self, node: Node) -> CoreSchema:
        return exact_int(node)

    def _decimal(self, node: Node) -> CoreSchema:
        if node.get("allow_inf_nan"):
            self._refuse_type("may be no number, which equals nothing, itself included", "Leave allow_inf_nan out.")
        return exact_decimal(node, self._handler)

    def _timedelta(self, node: Node) -> CoreSchema:
        return exact_duration(node, self._handler)

    def _datetime(self, node: Node) -> CoreSchema:
        self._refuse_clocks(node)
        if node.get("tz_constraint") == "naive":
            self._refuse_type("does not say when it was, for want of an offset", "Use AwareDatetime.")
        return exact_moment(node)

    def _refuse_clocks(self, node: Node) -> Node:
        if "now_op" in node:
            self._refuse_type(
                "depends on when it is read, so a repeat could be refused", "Compare with the time of an event instead."
            )
        return node

    def _literal(self, node: Node) -> Node:
        if any(isinstance(member, Enum) and not isinstance(member, (str, int)) for member in node["expected"]):
            self._refuse_type("holds a member of an Enum, which is not read back", "Write its value in the Literal.")
        self._check_values(node["expected"], "Literal")
        return node

    def _enum(self, node: Node) -> Node:
        if issubclass(node["cls"], Flag):
            self._refuse_type("can hold what is none of its members", "Use a tuple of an Enum instead.")
        self._check_values(node["members"], "Enum")
        return node

    def _check_values(self, members: list[Any], word: str) -> None:
        values = [member.value if isinstance(member, Enum) else member for member in members]
        kinds = {base_of(value) for value in values} - ({type(None)} if word == "Literal" else set())
        if not kinds <= {str, int, bool} or (word == "Enum" and bool in kinds):
            strange = ", ".join(sorted(kind.__name__ for kind in kinds - {str, int}))
            self._refuse_type(f"holds {strange}, which cannot be written and read back exactly", _USE)
        if len(kinds) > 1:
            self._refuse_type(
                "mixes values of several types, which a reader may take for one another",
                f"Write {word.lower()} values that are all str, or all int.",
            )
        if any(isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER for value in values):
            self._refuse_type("holds an integer that many readers would change", "Write it as a str.")

    def _tuple(self, node: Node) -> Node:
        return node | {"items_schema": [self._walk(item) for item in node["items_schema"]]}

    def _dict(self, node: Node) -> CoreSchema:
        if "keys_schema" not in node or node["keys_schema"]["type"] == "any":
            self._refuse_type("leaves open what it holds", "Say it: dict[str, int].")
        keys = list(shapes(node["keys_schema"], self._resolved))
        if any(key.kind != "text" or not _is_text(key.python) for key in keys):
            self._refuse_type("has keys that are no text, and JSON makes text of them", "Use a str as the key.")
        inside: Any = node | {part: self._walk(node[part]) for part in ("keys_schema", "values_schema")}
        return core_schema.no_info_after_validator_function(FrozenDict, inside)

    def _union(self, node: Node) -> Node:
        choices = [choice if isinstance(choice, tuple) else (choice, None) for choice in node["choices"]]
        # A conversion between the alternatives would choose one that the caller did not mean.
        walked = [(self._walk(_strict(choice)), label) for choice, label in choices]
        pair = mixed_up(list(shapes(choice, self._resolved)) for choice, _ in choices)
        if pair is not None:
            one, other = (shape.python.__name__ for shape in pair)
            self._refuse(
                f"{self._where} is {self._spoken}, and on the wire a reader could take {one} for {other}",
                "Use one type, or Values with a Literal field that tells them apart: "
                'Annotated[Card | Cash, Field(discriminator="paid_by")].',
            )
        return node | {"choices": [choice if label is None else (choice, label) for choice, label in walked]}

    def _tagged_union(self, node: Node) -> Node:
        if callable(node["discriminator"]):
            self._refuse_type("is told apart by a function, which no reader of the schema has", _DISCRIMINATOR)
        return node | {"choices": {tag: self._walk(choice) for tag, choice in node["choices"].items()}}

    def _default(self, node: Node) -> Node:
        walked = node | {"schema": self._walk(node["schema"])}
        factory: Callable[[], Any] | None = walked.pop("default_factory", None)
        if factory is not None:
            if not (factory in _CONSTRUCTORS or (inspect.isclass(factory) and issubclass(factory, self._value))):
                self._refuse(
                    f"{self._where} has a default_factory, which may say something else each time, so a repeat would "
                    "be another event",
                    "Give it a default that never changes, or let the caller say it.",
                )
            walked["default"] = factory()
        if type(walked.get("default")) is dict:
            walked["default"] = FrozenDict(walked["default"])
        return walked

    def _model(self, node: Node) -> Node:
        cls = node["cls"]
        if not issubclass(cls, self._value):
            self._refuse(f"{self._where} is {self._spoken}: {cls.__name__} is no Value", "Derive it from Value.")
        if is_template(cls):
            self._refuse(
                f"{self._where} is {self._spoken}: {cls.__name__} leaves open what it holds",
                f"Say what it holds: {cls.__name__}[int].",
            )
        return node

    def _definition_ref(self, node: Node) -> Node:
        """Walk a named alias of a type at its definition, once. Models are walked as classes of their own."""
        definition = self._resolved(node)
        if definition["type"] == "model":
            self._model(definition)
        elif node["schema_ref"] not in self._seen and definition is not node:
            self._seen.add(node["schema_ref"])
            inner = {key: part for key, part in definition.items() if key != "ref"}
            walked = {**self._walk(inner), "ref": node["schema_ref"]}
            definition.clear()
            definition.update(walked)
        return node

    def _resolved(self, node: Node) -> Node:
        try:
            return self._handler.resolve_ref_schema(node)  # type: ignore[return-value]
        except LookupError:
            # Its definition is being made at this moment: it is this class, or one that holds it.
            return {"type": "model", "cls": self._cls}

    @property
    def _where(self) -> str:
        return f"{self._cls.__name__}.{self._field}"

    @property
    def _spoken(self) -> str:
        return spoken(self._cls.__pydantic_fields__[self._field].annotation)

    def _refuse_type(self, why: str, instead: str) -> NoReturn:
        self._refuse(f"{self._where} is {self._spoken}, which {why}", instead)

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise DeclarationError(f"{what}. {instead}")


_SERIALIZER: Final = (
    "What is written must be what is read and what the documents say. Give the field the type that is on the wire."
)
_DISCRIMINATOR: Final = 'Use a Literal field of the alternatives: Field(discriminator="kind").'


def _is_text(python: type) -> bool:
    return issubclass(python, (str, Enum))


def _strict(node: Mapping[str, Any]) -> Node:
    plain = node["type"] in ("str", "int", "bool", "date", "timedelta", "uuid", "enum")
    return {**node, "strict": True} if plain else dict(node)
