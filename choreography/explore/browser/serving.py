"""Serves the explorer to browsers on this machine only."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, Final

import uvicorn
from rich.console import Console

from choreography.explore.browser.app import explorer
from choreography.explore.browser.pages import Beginning
from choreography.explore.model import Model
from choreography.explore.properties import ExploreError
from choreography.explore.result import SearchBounds

_HOST: Final = "127.0.0.1"


def serve(
    flow: str, scenario: str, settings: Mapping[str, Any], *, limits: SearchBounds, port: int, console: Console
) -> None:
    """Serve the explorer until somebody stops it.

    Args:
        flow: the package of the flow.
        scenario: the name of the scenario that is shown first; empty for the first declared scenario.
        settings: the settings of this scenario.
        limits: where a search stops.
        port: the port on the loopback address; 0 takes a free port.
        console: where the address is printed.

    Raises:
        ExploreError: there is no such flow, scenario or setting, or the port is taken.
    """
    model = Model.of(flow)
    first = Beginning(scenario or next(iter(model.makers)), model.scenario(scenario, **settings))
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
        # From here on the kernel lets a browser wait instead of refusing it, so the address may be printed before the
        # server serves.
        listening.listen()
    except OSError as error:
        listening.close()
        raise ExploreError(
            f"The explorer cannot listen on {_HOST}:{port} ({error.strerror}). Choose another port with --port, or 0 "
            "for a free one."
        ) from error
    address = f"http://{_HOST}:{listening.getsockname()[1]}/"
    console.print(f"The explorer of {model.name}: {address}\nEnd it with Ctrl+C.", markup=False, soft_wrap=True)
    app = explorer(model, first, limits)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])
