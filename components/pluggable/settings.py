"""Reads the settings of a component, as listed under ``spec.metadata`` of its file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from .errors import SettingsError

SCOPES: Final = "subscriptionScopes"
_HANDED_ON: Final = ("publishingScopes", SCOPES, "allowedTopics", "protectedTopics")
"""Settings that the sidecar itself obeys, and hands on."""

Reader = Callable[[str, str], object]
Known = Mapping[str, tuple[str, Reader]]
"""By the name of each setting: the attribute that it becomes, and what reads it."""


def whole(least: int, most: int) -> Callable[[str, str], int]:
    """Read a whole number within a range."""

    def read(name: str, text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise SettingsError(f"{name} is {text!r}, but must be a whole number from {least} to {most}.")
        return int(text)

    return read


def yes_or_no(name: str, text: str) -> bool:
    """Read a boolean value."""
    if text.lower() not in {"true", "false"}:
        raise SettingsError(f'{name} is {text!r}, but must be "true" or "false".')
    return text.lower() == "true"


def text(_: str, text: str) -> str:
    """Accept any text."""
    return text


def read_values(properties: Mapping[str, str], known: Known, refused: Mapping[str, str]) -> dict[str, object]:
    """Read the settings from the sidecar; names may be in any case, and an empty value counts as none.

    Args:
        properties: the settings as written.
        known: the settings of this component.
        refused: settings of other components that this one cannot obey, with the alternative.

    Returns:
        The values by attribute; those of `subscriptionScopes` as ``scopes``.

    Raises:
        SettingsError: a setting is unknown or impossible.
    """
    names = {name.casefold(): name for name in (*known, *_HANDED_ON, *refused)}
    values: dict[str, object] = {}
    for written, padded in properties.items():
        name, said = names.get(written.casefold()), padded.strip()
        if name is None:
            raise _unknown(written, known)
        if not said:
            continue
        if name in refused:
            raise SettingsError(refused[name])
        if name == SCOPES:
            values["scopes"] = _scopes(said)
        elif name in known:
            attribute, read = known[name]
            values[attribute] = read(name, said)
    return values


def _unknown(written: str, known: Collection[str]) -> SettingsError:
    return SettingsError(
        f"{written!r} is no setting of this component, so it would have no effect. Known are: "
        f"{', '.join(sorted(known))}."
    )


def _scopes(said: str) -> Mapping[str, frozenset[str]]:
    """Read ``app=topic,topic;app=topic`` as the sidecar does; blanks and line breaks are ignored."""
    pairs = (part.partition("=") for part in re.sub(r"\s", "", said).split(";") if part)
    return {app: frozenset(topic for topic in topics.split(",") if topic) for app, _, topics in pairs}
