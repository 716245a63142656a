"""A TCP proxy that can cut and delay connections, swallow data, and lose the response to a request.

A lost response makes an outcome unknown: the server has executed the request, and the client sees a broken connection.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Literal, Self

LOOPBACK = "127.0.0.1"
_AFTER_THE_REQUEST = 0.08
"""Seconds in which the server does what it was asked, while its answers are thrown away."""

Mood = Literal["honest", "refuses", "late", "silent", "loses answers"]


@dataclass
class Behaviour:
    """The current behaviour of a proxy.

    Attributes:
        mood: its current fault.
        late: the delay of everything, in seconds.
        share: the share of requests that lose their response.
        telling: requests that contain one of these byte strings lose their response ten times as often.
    """

    mood: Mood = "honest"
    late: float = 0.0
    share: float = 0.0
    telling: tuple[bytes, ...] = ()


@dataclass
class Proxy:
    """Stands between sidecars and one server."""

    to: Callable[[], int]
    chance: random.Random
    behaviour: Behaviour = field(default_factory=Behaviour)
    lost_answers: int = 0
    _server: asyncio.Server | None = None
    _links: set[Link] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Link(self), LOOPBACK, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    @property
    def lateness(self) -> float:
        """The delay of data that arrives now, in seconds; infinite while the proxy is silent."""
        return {"silent": inf, "late": self.behaviour.late}.get(self.behaviour.mood, 0.0)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if self._server is None:
            raise RuntimeError("The proxy does not listen yet.")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def behave(self, mood: Mood = "honest", **more: float | tuple[bytes, ...]) -> None:
        """Change its behaviour; existing connections change as well."""
        self.behaviour = Behaviour(mood, **more)  # type: ignore[arg-type]
        if mood == "refuses":
            self.cut()
        for link in list(self._links):
            link.hurry()

    def cut(self) -> None:
        """Break every connection in the middle of its data."""
        for link in list(self._links):
            link.break_off()

    def enter(self, link: Link) -> None:
        """Register a connection."""
        self._links.add(link)

    def leave(self, link: Link) -> None:
        """Forget a connection."""
        self._links.discard(link)

    def loses_answer_to(self, request: bytes) -> bool:
        """Decide whether the response to this request is lost."""
        if self.behaviour.mood != "loses answers":
            return False
        telling = any(word in request for word in self.behaviour.telling)
        lost = self.chance.random() < self.behaviour.share * (10 if telling else 1)
        self.lost_answers += lost
        return lost


class Pipe:
    """One direction of a connection. Late data stays in order; data held by silence is not lost, as with TCP."""

    def __init__(self) -> None:
        self._to: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, to: asyncio.Transport) -> None:
        """Send the waiting data, now that the other side is connected."""
        self._to = to
        self._let_out()

    def put(self, data: bytes, late: float) -> None:
        """Send data, or keep it until it is late enough."""
        self._waiting.append((asyncio.get_running_loop().time() + late, data))
        self._let_out()

    def hurry(self) -> None:
        """Send the waiting data at once."""
        self._waiting = deque((0.0, data) for _, data in self._waiting)
        self._let_out()

    def _let_out(self) -> None:
        loop = asyncio.get_running_loop()
        if self._to is None or self._to.is_closing():
            return
        while self._waiting and self._waiting[0][0] <= loop.time():
            self._to.write(self._waiting.popleft()[1])
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._waiting[0][0] != inf:
            self._timer = loop.call_at(self._waiting[0][0], self._let_out)


class Link(asyncio.Protocol):
    """One client's connection, and its connection to the server."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._requests, self._answers = Pipe(), Pipe()
        self._deaf = False
        self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a client, unless clients are refused."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server has no others
        self._client = transport
        if self._proxy.behaviour.mood == "refuses":
            self.break_off()
            return
        self._answers.open(transport)
        self._proxy.enter(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(lambda: _Onward(self), LOOPBACK, self._proxy.to())
        except OSError:
            self.break_off()
            return
        self._server = transport
        if self._broken:
            transport.abort()
        else:
            self._requests.open(transport)

    def data_received(self, data: bytes) -> None:
        """Pass a request on, and sometimes lose its response."""
        if not self._deaf and self._proxy.loses_answer_to(data):
            self._deaf = True
            asyncio.get_running_loop().call_later(_AFTER_THE_REQUEST, self.break_off)
        self._requests.put(data, self._proxy.lateness)

    def answered(self, data: bytes) -> None:
        """Pass a response back, unless it is to be lost."""
        if not self._deaf:
            self._answers.put(data, self._proxy.lateness)

    def hurry(self) -> None:
        """Send all waiting data at once."""
        self._requests.hurry()
        self._answers.hurry()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop passes it
        """Close the other half too."""
        self.break_off()

    def break_off(self) -> None:
        """Abort both halves at once."""
        self._broken = True
        self._proxy.leave(self)
        for half in (self._client, self._server):
            if half is not None and not half.is_closing():
                half.abort()


class _Onward(asyncio.Protocol):
    """The half of a connection that leads to the server."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def data_received(self, data: bytes) -> None:
        self._link.answered(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop passes it
        self._link.break_off()
