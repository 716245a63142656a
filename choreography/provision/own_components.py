"""Runs a component of this project in a process of its own: only the component knows its requirements on a broker."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from choreography.provision.layout import ProvisionError
from choreography.shipped import shipped_components


def component_folder(name: str) -> Path | None:
    """Return the folder of a component: in the working directory, or the one in the installed library."""
    for components in (Path.cwd() / "components", shipped_components()):
        if components is not None and (components / name / "__main__.py").exists():
            return components / name
    return None


def command_of(folder: Path, *words: str) -> list[str]:
    """Return the command that starts a component; it runs in the folder two levels above it."""
    return [sys.executable, "-m", f"{folder.parent.name}.{folder.name}", *words]


async def ask_component(name: str, command: str, asked: Mapping[str, Any]) -> Sequence[str]:
    """Have a component run a command, and return its output by lines.

    Args:
        name: its folder in components/.
        command: the command of the component.
        asked: its standard input.

    Raises:
        ProvisionError: the component is missing, or its command failed.
    """
    folder = component_folder(name)
    if folder is None:
        raise ProvisionError(
            f"components/{name} is not there, and only the component knows what it needs of its broker. Copy the "
            "folders components/pluggable and components/" + name + " from the Choreography repository."
        )
    process = await asyncio.create_subprocess_exec(
        *command_of(folder, command),
        cwd=folder.parents[1],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, error = await process.communicate(json.dumps(asked).encode())
    if process.returncode:
        raise ProvisionError(f"The component could not {command}. It says: {error.decode(errors='replace').strip()}")
    return said.decode().splitlines()
