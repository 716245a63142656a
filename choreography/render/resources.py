"""Reads a folder of Dapr resources the way a sidecar does: every YAML file in it, none in folders below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from choreography.render.shapes import misshapen

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Both are safe; the one in C, where it is there, takes a tenth of the time."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One document of one file.

    Attributes:
        file: the file's name, for sentences about the resource.
        place: the position of the document in its file, from zero.
        settings: a component's metadata as text, by lower-cased name; None if the value comes from elsewhere.
        names: the original spelling of each setting, by its lower-cased name.
        annotations: the annotations in its head, for people and for programs other than the sidecar.
    """

    file: str
    place: int
    kind: str
    name: str
    spec: Mapping[str, Any]
    scopes: tuple[str, ...]
    settings: Mapping[str, str | None]
    annotations: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """A component's type, such as ``pubsub.redis``."""
        return str(self.spec.get("type", ""))

    def has(self, name: str) -> bool:
        """Tell whether a setting is present with any value."""
        return name.lower() in self.settings

    def text(self, name: str, default: str = "") -> str:
        """Return a setting, or the default if it is not set or comes from elsewhere."""
        return self.settings.get(name.lower()) or default


def read_resources(folder: Path) -> tuple[list[Resource], list[str]]:
    """Return the resources of a folder in the order of a sidecar, and sentences about unreadable files."""
    resources: list[Resource] = []
    unreadable: list[str] = []
    there = (path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
    for path in sorted(there):
        try:
            documents = _documents(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            unreadable.append(
                f"{path.name} cannot be read as YAML ({error}), so a sidecar would start without what it says. Mend it."
            )
            continue
        for place, document in enumerate(documents):
            if isinstance(document, Mapping):
                if problem := misshapen(document):
                    unreadable.append(f"{path.name}: {problem}")
                else:
                    resources.append(resource_in(path.name, place, document))
    return resources, unreadable


@lru_cache(maxsize=512)
def _documents(text: str) -> tuple[Any, ...]:
    """Return the documents of a file; the cache helps because the folders of all brokers and stores share texts."""
    return tuple(yaml.load_all(text, Loader=_LOADER))


def resource_in(file: str, place: int, document: Mapping[str, Any]) -> Resource:
    """Return one document of a file in the form that the rules read."""
    spec = _mapping(document.get("spec"))
    items, annotations = spec.get("metadata"), _mapping(_mapping(document.get("metadata")).get("annotations"))
    settings = [item for item in (items if isinstance(items, Sequence) else ()) if isinstance(item, Mapping)]
    return Resource(
        file=file,
        place=place,
        kind=str(document.get("kind", "")),
        name=str(_mapping(document.get("metadata")).get("name", "")),
        spec=spec,
        scopes=tuple(str(app) for app in document.get("scopes") or ()),
        settings={
            str(item.get("name", "")).lower(): _text(item["value"]) if "value" in item else None for item in settings
        },
        names={str(item.get("name", "")).lower(): str(item.get("name", "")) for item in settings},
        annotations={str(name): str(text) for name, text in annotations.items()},
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
