"""A chart's schema and README, from its annotated values: each value states its purpose and its allowed forms once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from choreography.errors import ChoreographyError
from choreography.render.source import Files

_TYPES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_MARK: Final = "@ "

_QUANTITIES: Final = {"type": "object", "additionalProperties": {"type": ["string", "integer", "number"]}}
_VOLUMES: Final = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
"""Kinds of volumes that Pod Security `restricted` admits."""


def _one_of(*kinds: str, **named: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an object that holds exactly one of some kinds, each an object, and no other keys except those named."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in named if name == "name"],
        "oneOf": [{"required": [kind]} for kind in kinds],
        "properties": {**named, **{kind: {"type": "object"} for kind in kinds}},
    }


_SHARED: Final[Mapping[str, Any]] = {
    "kubernetesResources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": _QUANTITIES, "limits": _QUANTITIES},
    },
    # The form of a variable's name that Kubernetes accepts.
    "variable": {"pattern": "^[-._a-zA-Z][-._a-zA-Z0-9]*$"},
    "variableValue": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["valueFrom"],
                "properties": {"valueFrom": _one_of("secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef")},
            },
        ]
    },
    "variableSources": {
        "type": "array",
        "items": _one_of("secretRef", "configMapRef", prefix={"type": "string"}),
    },
    "volumes": {
        "type": "array",
        "items": _one_of(*_VOLUMES, name={"type": "string"}),
    },
    "volumeMounts": {
        "type": "array",
        "items": {"type": "object", "required": ["name", "mountPath"]},
    },
    "metadataItems": {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "oneOf": [{"required": ["value"]}, {"required": ["secretKeyRef"]}],
            "properties": {
                "name": {"type": "string"},
                "value": {"type": "string"},
                "secretKeyRef": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "key"],
                    "properties": {"name": {"type": "string"}, "key": {"type": "string"}},
                },
            },
        },
    },
}
_DEFAULTS: Final = "defaults"
"""The value whose shape single services may take as well."""


class ChartValuesError(ChoreographyError):
    """The annotations of a chart's values are invalid."""


@dataclass(frozen=True, slots=True)
class ChartValue:
    """One value.

    Attributes:
        path: its keys from the top.
        value: its default.
        told: its purpose.
        narrowed: its annotations, as JSON schema.
        below: the values inside it, if it is a mapping with values of its own.
    """

    path: tuple[str, ...]
    value: Any
    told: str
    narrowed: Mapping[str, Any]
    below: tuple[ChartValue, ...] = field(default=())

    @property
    def open(self) -> bool:
        """Whether its keys belong to the user, or are documented elsewhere."""
        return "additionalProperties" in self.narrowed or "$ref" in self.narrowed


def values_files(chart: Path, flow: str) -> Files:
    """Render the schema and the README of a chart."""
    entries = entries_of(chart / "values.yaml")
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    rendered = f"Rendered by `choreography render {flow}`; edit values.yaml instead."
    return {"values.schema.json": _schema(entries, rendered), "README.md": _readme(about, entries, rendered)}


def entries_of(values: Path) -> tuple[ChartValue, ...]:
    """Read a file of values with its comments.

    Raises:
        ChartValuesError: an annotation is not YAML, or a value has neither a type nor an annotation with one.
    """
    text = values.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ChartValuesError(f"{values} is no mapping, so there is nothing to describe. Write values as key: value.")
    return tuple(_entries(root, text.splitlines(), ()))


def _entries(node: yaml.MappingNode, lines: list[str], above: tuple[str, ...]) -> Iterator[ChartValue]:
    for key, value in node.value:
        path = (*above, str(key.value))
        told, narrowed = _comment(lines, key.start_mark.line, path)
        plain = yaml.SafeLoader("").construct_document(value)
        below: tuple[ChartValue, ...] = ()
        if isinstance(value, yaml.MappingNode) and not {"additionalProperties", "$ref"} & narrowed.keys():
            below = tuple(_entries(value, lines, path))
        if plain is None and "type" not in narrowed:
            raise ChartValuesError(
                f"{'.'.join(path)} is null and nothing says what it may be instead, so anything would be accepted. "
                'Write "# @ type: ..." above it.'
            )
        yield ChartValue(path, plain, told, narrowed, below)


def _comment(lines: list[str], line: int, path: tuple[str, ...]) -> tuple[str, Mapping[str, Any]]:
    """Read the comment lines directly above a key: sentences, and annotations for the schema."""
    first = line
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    comments = [text.lstrip().removeprefix("#").removeprefix(" ") for text in lines[first:line]]
    marked = "\n".join(text.removeprefix(_MARK) for text in comments if text.startswith(_MARK))
    try:
        narrowed = yaml.safe_load(marked) or {}
    except yaml.YAMLError as error:
        raise ChartValuesError(
            f"What is written with @ above {'.'.join(path)} is no YAML ({error}), so it would narrow nothing. Mend it."
        ) from error
    return " ".join(text for text in comments if not text.startswith(_MARK)), narrowed


def _schema(entries: tuple[ChartValue, ...], rendered: str) -> str:
    properties = {entry.path[-1]: _one(entry) for entry in entries}
    shared = dict(_SHARED)
    if _DEFAULTS in properties:
        shared[_DEFAULTS] = properties[_DEFAULTS]
        properties[_DEFAULTS] = {"$ref": f"#/$defs/{_DEFAULTS}"}
    # Helm passes the values that a parent chart calls global to every chart below it.
    properties["global"] = {"type": "object"}
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": rendered,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": shared,
    }
    return json.dumps(document, indent=2) + "\n"


def _one(entry: ChartValue) -> dict[str, Any]:
    narrowed = dict(entry.narrowed)
    described = {"description": entry.told} if entry.told else {}
    if "$ref" in narrowed:
        # Older readers of schemas ignore every keyword beside a $ref.
        return {**described, "allOf": [narrowed]}
    if entry.value is not None:
        narrowed.setdefault("type", _TYPES[type(entry.value)])
    if entry.below:
        narrowed |= {"additionalProperties": False, "properties": {one.path[-1]: _one(one) for one in entry.below}}
    return {**described, **narrowed}


def _readme(about: Mapping[str, Any], entries: tuple[ChartValue, ...], rendered: str) -> str:
    rows = "".join(_rows(entries))
    return _README.format(rendered=rendered, name=about["name"], about=about["description"], rows=rows)


def _rows(entries: tuple[ChartValue, ...]) -> Iterator[str]:
    for entry in entries:
        told = entry.told.replace("|", "\\|")
        if entry.below:
            if told:
                yield f"| **`{'.'.join(entry.path)}`** | | {told} |\n"
            yield from _rows(entry.below)
        else:
            default = json.dumps(entry.value, ensure_ascii=False).replace("|", "\\|")
            yield f"| `{'.'.join(entry.path)}` | `{default}` | {told}{_allowed(entry)} |\n"


def _allowed(entry: ChartValue) -> str:
    choices = entry.narrowed.get("enum")
    return f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""


_README: Final = """\
<!-- {rendered} -->
# {name}

{about}

```bash
helm install {name} . --namespace NAMESPACE --values values-dev.yaml --values values/redis.yaml --wait
helm test {name} --namespace NAMESPACE
helm uninstall {name} --namespace NAMESPACE
```

It needs Kubernetes 1.30 and Dapr 1.18 with its scheduler. What each broker needs, and how to run it in production, is
in `docs/kubernetes.md` and `docs/production.md`. `files/` is rendered from the declarations of the flow and
`components/` by `choreography render`, before the chart is installed or packaged (`make chart`, in its repository); the
templates only place it. A name that is not below is refused, and so is a pair that cannot be.

| value | default | |
| --- | --- | --- |
{rows}"""
