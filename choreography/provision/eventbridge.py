"""EventBridge: a rule and a queue for everybody who hears a topic, made by the component that will use them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import choreography
from choreography.provision.aws_account import account_at
from choreography.provision.layout import Layout, ProvisionError


def component_folder() -> Path | None:
    """The folder of the component, from which it can be started: below this one, or beside this package."""
    for root in (Path.cwd(), Path(choreography.__file__).parents[1]):
        folder = root / "components" / "eventbridge"
        if (folder / "__main__.py").exists():
            return folder
    return None


async def provision(layout: Layout, address: str, *, partitions: int, copies: int) -> Sequence[str]:  # noqa: ARG001
    """Let the component make everything, as its settings say. AWS keeps copies by itself."""
    return await ask_component("provision", layout, address)


async def ask_component(command: str, layout: Layout, address: str) -> Sequence[str]:
    """Have the component do something with every queue of a flow, and return what it said, by lines.

    Raises:
        ProvisionError: it is not there, or could not do it.
    """
    account, folder = account_at(address), component_folder()
    if folder is None:
        raise ProvisionError(
            "components/eventbridge is not there, and only the component knows what its queues are called. Copy the "
            "folder from the Choreography repository."
        )
    told = {
        "region": account.region,
        "endpoint": account.endpoint or "",
        "accessKey": account.access_key or "",
        "secretKey": account.secret_key or "",
    }
    asked = {"settings": {**layout.settings, **told}, "subscriptions": layout.hearers}
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", folder.name, command],
        cwd=folder.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, error = await process.communicate(json.dumps(asked).encode())
    if process.returncode:
        raise ProvisionError(
            f"The component could not {command} the rules and queues of EventBridge in {account.region}. It says: "
            f"{error.decode(errors='replace').strip()}"
        )
    return said.decode().splitlines()
