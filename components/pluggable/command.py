"""A component's process as a command: it serves, or runs one command of its user."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ComponentError


@dataclass(frozen=True, slots=True)
class Asked:
    """The input of a command: ``{"settings": {...}, "subscriptions": [["app", "topic"], ...]}``.

    Attributes:
        settings: the settings of the component file.
        subscriptions: pairs of app and topic.
        more: all other keys.
    """

    settings: Mapping[str, str]
    subscriptions: Sequence[tuple[str, str]]
    more: Mapping[str, Any]

    @classmethod
    def read(cls) -> Asked:
        """Read the standard input."""
        said = json.load(sys.stdin)
        return cls(said["settings"], [(app, topic) for app, topic in said["subscriptions"]], said)


def run(
    arguments: Sequence[str],
    serve: Callable[[], Awaitable[None]],
    commands: Mapping[str, Callable[[Asked], Awaitable[None]]],
    failures: tuple[type[BaseException], ...],
    explain: Callable[[BaseException], str],
) -> int:
    """Run a command. Exit code 1 is a reported failure, 2 an unknown command.

    Args:
        arguments: none to serve, or the name of a command.
        serve: serves until a signal.
        commands: the commands, by name.
        failures: the errors by which the broker's client reports a failure.
        explain: returns one line about such an error.
    """
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if arguments and (len(arguments) > 1 or arguments[0] not in commands):
        known = " or ".join(f"`{name}`" for name in commands)
        sys.stderr.write(f"{' '.join(arguments)!r} is no command. Give none to serve, or {known}.\n")
        return 2
    try:
        asyncio.run(_done(commands[arguments[0]](Asked.read()) if arguments else serve()))
    except ComponentError as error:
        sys.stderr.write(f"{error}\n")
    except failures as error:
        sys.stderr.write(f"The broker did not do it: {explain(error)}\n")
    else:
        return 0
    return 1


async def _done(work: Awaitable[None]) -> None:
    await work
