"""The exit codes of `choreography conform`, and which messages its app counts as handled."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from rich.console import Console

from choreography.conform.app import RecordingApp
from choreography.conform.command import ended
from choreography.conform.result import FAILED, LEFT_OUT, PASSED, CaseResult, ConformReport


@pytest.mark.parametrize(
    ("outcomes", "code", "says"),
    [
        ((PASSED, PASSED), 0, ""),
        ((PASSED, LEFT_OUT), 3, "1 of 2 were left out"),
        ((LEFT_OUT, FAILED), 1, "1 of 2 failed"),
    ],
)
def test_what_could_not_be_shown_is_no_success(outcomes: tuple[str, ...], code: int, says: str) -> None:
    """It is no failure either: a build can tell the three apart."""
    results = [CaseResult(str(number), outcome, "", 0) for number, outcome in enumerate(outcomes)]
    console = Console(record=True)
    assert ended(ConformReport("broker", "mine", "pubsub.mine", "", "", results), console, Path("logs")) == code
    assert says in console.export_text()


async def test_what_an_app_had_in_hand_when_it_died_is_not_handled() -> None:
    """Also if the sidecar died first and does not wait for the answer."""
    app = RecordingApp()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    await app.listen("one", port)
    app.gate.clear()
    async with aiohttp.ClientSession() as sidecar:
        asked = asyncio.create_task(sidecar.post(f"http://127.0.0.1:{port}/events", json={"topic": "t", "data": "x"}))
        while not app.heard:  # noqa: ASYNC110 - a server thread of the loop fills it
            await asyncio.sleep(0.01)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
    await app.stop("one")
    await app.listen("one", port)
    app.gate.set()
    await asyncio.sleep(0.2)
    await app.close()
    assert app.done == []
