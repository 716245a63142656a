"""The bodies of commands, which are read outside FastAPI, in its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from choreography.service import Service

_SCHEMAS: Final = "#/components/schemas/"


def describe_bodies(app: FastAPI, service: Service) -> None:
    """Add the body of each command to the OpenAPI document of a service."""
    bodies = {command.body[1]: None for command in service.commands if command.body}
    found, made = models_json_schema([(body, "validation") for body in bodies], ref_template=_SCHEMAS + "{model}")
    references: dict[type[BaseModel], Any] = {body: found[body, "validation"] for body in bodies}
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        there = document.setdefault("components", {}).setdefault("schemas", {})
        names = _free_names(made.get("$defs", {}), there)
        there.update({names[name]: _renamed(schema, names) for name, schema in made.get("$defs", {}).items()})
        for command in service.commands:
            operation = document.get("paths", {}).get(command.path, {}).get(command.method.lower())
            if operation is not None and command.body:
                schema = _renamed(references[command.body[1]], names)
                operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        return document

    app.openapi = described  # type: ignore[method-assign]


def _free_names(made: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, str]:
    """Return an unused name for each schema, different from other names such as the entity that a view shows."""
    names = {name: name for name in made}
    for name in made:
        while names[name] in there and there[names[name]] != _renamed(made[name], names):
            names[name] += "Body"
    return names


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, Mapping):
        return {key: _renamed(part, names) for key, part in schema.items()}
    if isinstance(schema, list):
        return [_renamed(part, names) for part in schema]
    if isinstance(schema, str) and schema.startswith(_SCHEMAS):
        return _SCHEMAS + names.get(schema.removeprefix(_SCHEMAS), schema.removeprefix(_SCHEMAS))
    return schema
