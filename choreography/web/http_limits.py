"""Limits that uvicorn lacks: the time and size of a header, and the time for which a body is left unread.

Deliveries use the same port, so other clients must not be able to keep connections occupied. The body of a command is
limited where it is read; a delivery has no limit, as only this service's own sidecar may send one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, Final

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TOO_LARGE: Final = HTTPStatus(431)
_FROM_THE_SIDECAR: Final = (b"/events", b"/undelivered", b"/job/")
_LONGEST_URL: Final = 65_535
"""Bytes. A longer URL cannot be parsed by uvicorn."""


class _TooLargeError(Exception):
    """Ends the parser's work on a header."""


class LimitedHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits of time and size for the bytes before a request can be served.

    Attributes:
        header_seconds: how long a header may take, and how long a new connection may stay silent.
        unread_seconds: how long the rest of a body may be sent after the request has been answered.
        header_bytes: how large the request line and the header may be together.
        sidecar_header_bytes: the same for requests that only a sidecar sends. Their header holds the metadata of a
            message that is delivered alone, or the name of a job; a sidecar repeats a refused request for ever.
    """

    header_seconds: ClassVar[float] = 10.0
    unread_seconds: ClassVar[float] = 5.0
    header_bytes: ClassVar[int] = 16 * 1024
    sidecar_header_bytes: ClassVar[int] = 4 * 1024 * 1024

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._limit: asyncio.TimerHandle | None = None
        self._in_header = self._in_body = False
        self._come = 0
        self._refused: tuple[HTTPStatus, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time limit for the first bytes of a new connection."""
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn narrows it
        self._within(self.header_seconds, self._header_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit."""
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of an unfinished header."""
        began_earlier = self._in_header
        super().data_received(data)
        if began_earlier and self._in_header:
            self._come += len(data)
            if self._come > self._most():
                self._refuse(*_too_large(self._most()))

    def on_message_begin(self) -> None:
        """Start the time limit of a header."""
        super().on_message_begin()
        self._in_header, self._come = True, 0
        self._within(self.header_seconds, self._header_is_late)

    def on_headers_complete(self) -> None:
        """Let a request be served whose header is not too large.

        Raises:
            _TooLargeError: the header is too large; the parser reports that as an error of the request.
        """
        self._within(None)
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._most():
            self._refused = _too_large(self._most())
            raise _TooLargeError
        self._in_header, self._in_body = False, True
        if self.url.startswith(_FROM_THE_SIDECAR):
            # The end of a job's name carries no information, so it is cut instead of refusing the job.
            self.url = self.url[:_LONGEST_URL]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Let the connection be used again, also if the request was answered before its body had arrived."""
        super().on_message_complete()
        self._in_body = False
        self._within(None)
        if self.cycle is not None and self.cycle.response_complete:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Start the time limit for the rest of a body that is not read."""
        super().on_response_complete()
        if self._in_body and self.cycle.response_complete:
            self._within(self.unread_seconds, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed."""
        status, detail = self._refused or (HTTPStatus.BAD_REQUEST, f"{msg} It is no HTTP that can be understood.")
        self._refuse(status, detail)

    def _most(self) -> int:
        return self.sidecar_header_bytes if self.url.startswith(_FROM_THE_SIDECAR) else self.header_bytes

    def _header_is_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request is still being served, and the connection must wait for its answer.
            self._within(self.header_seconds, self._header_is_late)
        elif self._in_header:
            detail = f"The header did not end within {self.header_seconds:g} seconds. Send the request again."
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, detail)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer and end the connection; if an earlier request is still unanswered, only end it."""
        self._within(None)
        if self.transport.is_closing():
            return
        if self._is_next_to_be_answered():
            body = orjson.dumps({"detail": detail})
            self.transport.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
                + body
            )
        self.transport.close()

    def _is_next_to_be_answered(self) -> bool:
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self._in_body and not self.pipeline and not self.cycle.response_started

    def _within(self, seconds: float | None, otherwise: Callable[[], None] | None = None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = None
        if seconds is not None and otherwise is not None:
            self._limit = self.loop.call_later(seconds, otherwise)


def _too_large(most: int) -> tuple[HTTPStatus, str]:
    return _TOO_LARGE, f"The request line and the header may have {most} bytes together, and these have more."
