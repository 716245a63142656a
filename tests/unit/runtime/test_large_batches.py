"""A batch of 200 MB, read as a stream by a real process: it is settled, and the process hardly grows."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.unit.engine.toy import Put
from tests.unit.runtime.test_driver import event
from tests.unit.sidecar.fake_sidecar import FakeSidecar, until

MEGABYTES = 200
MOST_GROWTH = 128 * 1024
"""KiB."""

SERVE = """
import sys, uvicorn
from choreography.settings import Settings
from choreography.web.app import build_app
from tests.unit.engine.toy import desk
settings = Settings(sidecar=sys.argv[1], self_check=False, outsides={"bank": "http://127.0.0.1:9"})
uvicorn.run(build_app(desk, settings, sys.exit), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


@dataclass
class Served:
    """A desk in a process of its own."""

    address: str
    pid: int

    def memory(self, what: str) -> int:
        """Return the KiB that it holds (VmRSS), or held at most (VmHWM)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1])

    async def post(self, body: AsyncIterator[bytes]) -> tuple[int, Any]:
        """Deliver something."""
        timeout = aiohttp.ClientTimeout(total=200)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{self.address}/events", data=body) as response,
        ):
            return response.status, orjson.loads(await response.read())

    async def is_ready(self) -> bool:
        """Tell whether the service says that it is ready."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.address}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def served(port: int) -> AsyncIterator[tuple[Served, FakeSidecar]]:
    """Start a desk, and end it."""
    sidecar = FakeSidecar()
    async with sidecar.listening():
        address = f"http://127.0.0.1:{sidecar.port}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, address, str(port), stdout=asyncio.subprocess.DEVNULL
        )
        try:
            made = Served(f"http://127.0.0.1:{port}", process.pid)
            await until(made.is_ready, 60)
            yield made, sidecar
        finally:
            process.kill()
            await process.wait()


def large(number: int) -> bytes:
    """Return an event of a megabyte, which is more than a service reads."""
    return b"%07d" % number + b"x" * 1_000_000


def small(number: int) -> bytes:
    """Return a sound event of 48 KB."""
    return orjson.dumps(event(Put(box=f"b{number % 20}", amount=1, note="x" * 48_000), f"put-{number}"))


def entries(make: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """Return the entries of a batch of so many bytes."""
    written, number = 0, 0
    while written < size:
        one = orjson.dumps({"entryId": str(number), "event": base64.b64encode(make(number)).decode(), "metadata": None})
        yield (b"," if number else b"") + one
        written, number = written + len(one), number + 1


async def batch_of(parts: Iterator[bytes], before: bytes, behind: bytes) -> AsyncIterator[bytes]:
    """Return a batch as it is sent; a slow reader slows it down."""
    yield before
    for part in parts:
        yield part
    yield behind


AROUND = (b'{"entries":[', b'],"id":"1","metadata":{},"pubsubname":"pubsub","topic":"%s"}' % Put.topic.encode())
"""The sidecar's text around the entries: its members are sorted, so the topic is known only at the end."""


@pytest.mark.parametrize("make", [large, small])
async def test_a_batch_of_200_mb_is_settled_in_little_memory(
    make: Callable[[int], bytes], unused_tcp_port: int
) -> None:
    """No large event is kept whole, and at most a few megabytes of the others are held at once."""
    async with served(unused_tcp_port) as (desk, sidecar):
        # The costs of the very first request, such as a late import of a module, must not be measured.
        await desk.post(batch_of(entries(small, 2_000_000), *AROUND))
        before = desk.memory("VmRSS")
        status, answer = await desk.post(batch_of(entries(make, MEGABYTES * 1_000_000), *AROUND))
        assert status == 200
        assert {one["status"] for one in answer["statuses"]} == {"SUCCESS"}
        assert desk.memory("VmHWM") - before < MOST_GROWTH
        count = len(answer["statuses"])
        assert count > MEGABYTES / 2
        quarantine = [one for one in sidecar.store.outcomes() if one.quarantined]
        assert len(quarantine) == (count if make is large else 0)
