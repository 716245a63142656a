"""Slow, large and broken requests on real sockets get answers, and delay no delivery."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import orjson
import pytest

from choreography.web import admission
from choreography.web.http_limits import LimitedHttp
from tests.unit.engine.events import wire
from tests.unit.sidecar.fake_sidecar import batch
from tests.unit.web.shop import Placed, shop_server

PATIENCE = 10.0
HEAD = b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
BODY = b'{"order_id": "o1"}'
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
SHOW = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


class Hasty(LimitedHttp):
    """The limits of production, made shorter."""

    header_seconds = 0.5
    unread_seconds = 0.5


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Serve the shop with short limits."""
    monkeypatch.setattr(admission, "BODY_SECONDS", 0.5)
    async with shop_server(Hasty) as (port, _):
        yield port


class Wire:
    """One connection, as an attacker or a poor network uses it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Wire:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, raw: bytes) -> None:
        """Send bytes, if the server still takes them."""
        self._writer.write(raw)
        with suppress(ConnectionError):
            await self._writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer."""
        async with asyncio.timeout(PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self._reader.readexactly(int(fields.get("content-length", 0)))
        return int(head[0].split()[1]), fields, body

    async def status(self) -> int:
        """Read the status of an answer, whose body may come in parts."""
        async with asyncio.timeout(PATIENCE):
            return int((await self._reader.readline()).split()[1])

    async def refusal(self) -> tuple[int, str]:
        """Read one answer that says why, in JSON."""
        status, fields, body = await self.answer()
        assert fields["content-type"] == "application/json"
        return status, str(orjson.loads(body)["detail"])

    async def is_closed(self) -> bool:
        """Wait until the server ends the connection, and tell whether it sent nothing more."""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                return await self._reader.read() == b""
        return True

    async def drip(self, raw: bytes, seconds: float = 0.05) -> None:
        """Send one byte after the other for as long as the server takes them."""
        with suppress(ConnectionError):
            for byte in raw:
                await asyncio.sleep(seconds)
                self._writer.write(bytes([byte]))
                await self._writer.drain()

    def close(self) -> None:
        """Leave."""
        self._writer.close()


@pytest.fixture
async def wired(port: int) -> AsyncIterator[Wire]:
    """Connect to the shop."""
    made = await Wire.to(port)
    yield made
    made.close()


@pytest.mark.parametrize("begun", [b"P", b"POST /orders HTTP/1.1\r\n", HEAD, HEAD + b"x-long: xxx"])
async def test_a_header_that_does_not_end_is_408(wired: Wire, begun: bytes) -> None:
    """Its client may send it again over a better network."""
    await wired.send(begun)
    status, detail = await wired.refusal()
    assert status == 408
    assert "header" in detail
    assert await wired.is_closed()


async def test_a_header_that_drips_is_408(wired: Wire) -> None:
    """The time limit is for the whole header, not for each byte."""
    dripping = asyncio.create_task(wired.drip(HEAD * 10))
    assert (await wired.refusal())[0] == 408
    dripping.cancel()


async def test_a_connection_that_says_nothing_is_closed(wired: Wire) -> None:
    """There was no request, so there is no response."""
    assert await wired.is_closed()


async def test_a_second_request_has_the_same_time_for_its_header(wired: Wire) -> None:
    """An earlier good request does not extend the limit."""
    await wired.send(SHOW)
    assert (await wired.answer())[0] == 200
    await asyncio.sleep(0.8)
    await wired.send(SHOW[:20])
    assert (await wired.refusal())[0] == 408


@pytest.mark.parametrize("drip", [False, True])
async def test_a_body_that_does_not_end_is_408(wired: Wire, drip: bool) -> None:
    """This holds whether nothing comes, or too little."""
    await wired.send(HEAD + b"idempotency-key: 8e03978e40d543e8bc936894a57f9324\r\ncontent-length: 1000\r\n\r\n{")
    dripping = asyncio.create_task(wired.drip(b" " * 900 if drip else b""))
    status, fields, body = await wired.answer()
    assert (status, fields["idempotency-key"]) == (408, "8e03978e40d543e8bc936894a57f9324")
    assert "nothing was done" in orjson.loads(body)["detail"]
    assert await wired.is_closed()
    dripping.cancel()


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """No alert fires, and the next client is served."""
    wired = await Wire.to(port)
    await wired.send(WHOLE[:-5])
    wired.close()
    following = await Wire.to(port)
    await following.send(SHOW)
    assert (await following.answer())[0] == 200
    following.close()
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "large",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        SHOW[:-2] + b"x-large: " + b"x" * 20_000 + b"\r\n\r\n",
        SHOW[:-2] + b"x-many: 1\r\n" * 2_000 + b"\r\n",
    ],
    ids=["path", "one field", "many fields"],
)
async def test_a_header_that_is_too_large_is_431(wired: Wire, large: bytes) -> None:
    """This holds whichever part of it is large."""
    await wired.send(large)
    status, detail = await wired.refusal()
    assert (status, "16384 bytes" in detail) == (431, True)
    assert await wired.is_closed()


@pytest.mark.parametrize("line", [b"x-many: 1\r\n", b"x" * 1_000])
async def test_a_header_without_an_end_is_431_before_it_fills_the_memory(wired: Wire, line: bytes) -> None:
    """This includes a single field without an end."""
    await wired.send(SHOW[:-2] + b"x-large: ")
    for _ in range(1_000):
        await asyncio.sleep(0)
        await wired.send(line * 20)
    with suppress(ConnectionError):
        assert (await wired.refusal())[0] == 431
    assert await wired.is_closed()


async def test_a_header_of_the_usual_size_is_served(wired: Wire) -> None:
    """Large cookies and tokens included."""
    await wired.send(SHOW[:-2] + b"cookie: " + b"x" * 12_000 + b"\r\n\r\n")
    assert (await wired.answer())[0] == 200


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"nonsense\r\n\r\n"])
async def test_what_is_no_http_is_400_in_json(wired: Wire, raw: bytes) -> None:
    """An example is TLS to a port without TLS."""
    await wired.send(raw)
    assert (await wired.refusal())[0] == 400
    assert await wired.is_closed()


async def test_a_body_that_breaks_its_encoding_is_400(wired: Wire) -> None:
    """The command was not run."""
    await wired.send(HEAD + b"transfer-encoding: chunked\r\n\r\nnot a length\r\n")
    assert (await wired.refusal())[0] == 400
    assert await wired.is_closed()


async def test_a_length_and_an_encoding_that_contradict_each_other_are_400(wired: Wire) -> None:
    """Otherwise a proxy and this server could see two different requests."""
    await wired.send(HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    assert (await wired.refusal())[0] == 400


async def test_a_body_that_nobody_reads_ends_with_its_connection(wired: Wire) -> None:
    """A refused client may not go on sending for ever."""
    await wired.send(b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 9999\r\n\r\n{")
    assert (await wired.answer())[0] == 415
    dripping = asyncio.create_task(wired.drip(b" " * 900))
    assert await wired.is_closed()
    dripping.cancel()


async def test_a_connection_is_used_again_after_an_early_refusal(wired: Wire) -> None:
    """The rest of the body must come soon."""
    await wired.send(WHOLE.replace(b"application/json", b"text/plain")[:-5])
    assert (await wired.answer())[0] == 415
    await wired.send(BODY[-5:])
    await asyncio.sleep(0.8)
    await wired.send(SHOW)
    assert (await wired.answer())[0] == 200


async def test_requests_that_are_sent_ahead_are_answered_in_their_order(wired: Wire) -> None:
    """An incomplete request behind them does not cost them their answers."""
    await wired.send(WHOLE + SHOW + SHOW[:20])
    assert [(await wired.answer())[0] for _ in range(2)] == [202, 200]
    assert (await wired.refusal())[0] == 408


METADATA = {
    "long": b"x-note: " + b"x" * 200_000 + b"\r\n",
    "many": b"x-note: 1\r\n" * 4_000,
    "an upgrade": b"connection: upgrade\r\nupgrade: websocket\r\n",
    "an encoding": b"content-encoding: gzip\r\n",
    "an expectation": b"expect: nothing\r\n",
    "a page elsewhere": b"origin: http://elsewhere.example\r\nsec-fetch-site: cross-site\r\n",
    "a long tail": b"a" * 5_000 + b": x\r\n",
    "bytes": b"x-note: \xff\xfe\x80\r\n",
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA.keys())
@pytest.mark.parametrize("path", ["/events", "/undelivered", "/job/due-1"])
async def test_what_a_message_says_in_a_header_is_no_reason_to_refuse_it(
    wired: Wire, path: str, metadata: bytes
) -> None:
    """A sidecar puts a single message's metadata there, and redelivers a refused one for ever."""
    body = orjson.dumps({"topic": "orders", "data_base64": "e30=", "events": ["{}"]})
    head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n" % (path.encode(), len(body))
    await wired.send(head + metadata + b"\r\n" + body)
    assert await wired.status() == 200


async def test_a_job_is_not_refused_for_its_name(wired: Wire) -> None:
    """The scheduler takes names of any length, and fires a job again for as long as it is refused."""
    await wired.send(b"POST /job/" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[]")
    assert await wired.status() == 200


async def test_slow_clients_hold_up_no_delivery() -> None:
    """Hundreds of half-sent requests stand open while the sidecar delivers."""
    async with shop_server() as (port, sidecar):
        slow = [await Wire.to(port) for _ in range(300)]
        for number, one in enumerate(slow):
            await one.send((HEAD, HEAD + b"content-length: 1000\r\n\r\n{", b"P")[number % 3])
        for number in range(20):
            began = time.monotonic()
            assert await _deliver(port, f"event-{number}") == 200
            assert time.monotonic() - began < 2
        assert len(sidecar.store.outcomes()) == 20
        for one in slow:
            one.close()


async def _deliver(port: int, event_id: str) -> int:
    wired = await Wire.to(port)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = orjson.dumps(batch("orders", wire(Placed(order_id=event_id), event_id, time=now, source="shop")))
    await wired.send(b"POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    status = await wired.status()
    wired.close()
    return status
