"""Helps a sidecar when the component was restarted beside it.

A sidecar (Dapr 1.18) opens its streams to a component once, when it starts. After a crash of the component it can
publish again, once it has sent its settings again, but it receives nothing any more and does not report this.
"""

from __future__ import annotations

import os
from typing import Final

import aiohttp

from .log import LOG

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


async def ask_to_restart(variable: str) -> None:
    """Ask the sidecar to end itself, so that its supervisor starts it again and it opens its streams anew.

    Args:
        variable: holds the address of the sidecar's HTTP API, such as ``http://127.0.0.1:3500``.
    """
    address = os.environ.get(variable)
    if not address:
        LOG.warning(
            "an earlier process of this component died. A sidecar that ran meanwhile hears nothing until it is "
            "restarted; name its HTTP API in %s, and it is asked to restart itself",
            variable,
        )
        return
    headers = {"dapr-api-token": token} if (token := os.environ.get("DAPR_API_TOKEN")) else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.post(f"{address.rstrip('/')}/v1.0/shutdown") as answer,
        ):
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        LOG.info("no sidecar was asked to restart: %s", error)
    else:
        LOG.warning("an earlier process of this component died; the sidecar was asked to restart, to hear again")
