"""The connection to NATS, and retries."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Self, TypeVar

from nats.aio.client import Client
from nats.js import JetStreamContext

from components.nats_pull.errors import NATS_FAILURES, explain, is_about_login
from components.nats_pull.names import inbox_prefix
from components.nats_pull.nkeys import public_key, signed
from components.nats_pull.settings import Settings
from components.pluggable.errors import CredentialsError
from components.pluggable.log import LOG
from components.pluggable.patience import patiently as until_it_succeeds

_ANSWERS_WITHIN: Final = 3.0
"""Less than a sidecar waits for a component to start, which is 5 seconds unless its file says otherwise."""

_CLOSES_WITHIN: Final = 2.0
_PING_SECONDS: Final = 10
_BUFFER: Final = 8 * 1024 * 1024

Result = TypeVar("Result")


class AwayError(OSError):
    """NATS is not connected at the moment."""


class _Client(Client):
    """A client that can log in with an nkey: the library's own way needs a further package."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        if seed:
            self._public_nkey = public_key(seed)
            self._auth_configured = True


class Nats:
    """One connection for the settings of one file. It reconnects after every failure while it is open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = _Client(settings.seed)
        self._streams: JetStreamContext | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._listeners: set[Callable[[], None]] = set()
        self._told = ""
        self.last_error: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._connecting = asyncio.create_task(self._connect(), name="connect")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        with suppress(*NATS_FAILURES):
            async with asyncio.timeout(_CLOSES_WITHIN):
                await self._client.close()

    async def see_login(self) -> None:
        """Check that NATS accepts the login. If NATS does not answer, this is no error: it may be away for a while.

        Raises:
            CredentialsError: NATS refuses the login.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWERS_WITHIN):
                # The client sends no signal when it has failed for good.
                while not self._client.is_connected and not is_about_login(self.last_error):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        if self._client.is_connected:
            return
        if is_about_login(self.last_error):
            raise CredentialsError(
                f"{self._settings.place} refuses who calls. It says: {explain(self.last_error or OSError())}"
            )
        LOG.warning("%s does not answer yet, and is tried again. %s", self._settings.place, self._why)

    @property
    def client(self) -> Client:
        """The client, connected.

        Raises:
            AwayError: it is not connected at the moment.
        """
        if not self._client.is_connected:
            raise self._away()
        return self._client

    @property
    def streams(self) -> JetStreamContext:
        """JetStream.

        Raises:
            AwayError: it is not connected at the moment.
        """
        if self._streams is None:
            settings = self._settings
            self._streams = self.client.jetstream(timeout=settings.publish_seconds, domain=settings.domain or None)
        elif not self._client.is_connected:
            raise self._away()
        return self._streams

    @property
    def api(self) -> str:
        """The subject prefix of JetStream's API."""
        return f"$JS.{self._settings.domain}.API" if self._settings.domain else "$JS.API"

    @contextmanager
    def listening(self, reconnected: Callable[[], None]) -> Iterator[None]:
        """Call a function at every reconnection, for as long as the block lasts."""
        self._listeners.add(reconnected)
        try:
            yield
        finally:
            self._listeners.discard(reconnected)

    def _away(self) -> AwayError:
        return AwayError(f"{self._settings.place} is not connected. {self._why}".strip())

    @property
    def _why(self) -> str:
        return explain(self.last_error) if self.last_error else ""

    async def _connect(self) -> None:
        settings = self._settings
        with _context(settings) as tls:
            await self._client.connect(
                list(settings.servers),
                name=settings.name or settings.consumer,
                tls=tls,
                inbox_prefix=inbox_prefix(settings.consumer),
                # The caller knows better than the client how long to retry.
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.5,  # type: ignore[arg-type] # any number of seconds
                connect_timeout=5,
                ping_interval=_PING_SECONDS,
                max_outstanding_pings=2,
                pending_size=_BUFFER,
                error_cb=self._failed,
                disconnected_cb=self._lost,
                reconnected_cb=self._again,
                **_login(settings),
            )
        self._told = ""
        LOG.info("connected to %s", settings.place)
        await self._again()

    async def _failed(self, error: Exception) -> None:
        self.last_error = error
        if (said := explain(error)) != self._told:
            LOG.warning("%s: %s", self._settings.place, said)
            self._told = said

    async def _lost(self) -> None:
        LOG.warning("the connection to %s was lost", self._settings.place)

    async def _again(self) -> None:
        if self._told:
            LOG.info("connected to %s again", self._settings.place)
            self._told = ""
        for listener in list(self._listeners):
            listener()


def _login(settings: Settings) -> dict[str, Any]:
    if settings.seed:
        jwt = {"user_jwt_cb": lambda: bytearray(settings.jwt.encode())} if settings.jwt else {}
        return {"signature_cb": lambda nonce: signed(settings.seed, nonce), **jwt}
    if settings.username:
        return {"user": settings.username, "password": settings.password}
    return {"token": settings.token} if settings.token else {}


@contextmanager
def _context(settings: Settings) -> Iterator[ssl.SSLContext | None]:
    """Return the TLS context, with its authorities and certificate; None if TLS is not configured."""
    asked = settings.ca_certificate or settings.certificate
    if not asked and not any(server.startswith("tls://") for server in settings.servers):
        yield None
        return
    context = ssl.create_default_context(cadata=settings.ca_certificate or None)
    if settings.certificate:
        # The standard library reads a key only from a file, and a container may have no writable folder.
        with _file(f"{settings.certificate}\n{settings.key}\n") as chain:
            context.load_cert_chain(chain)
    yield context


@contextmanager
def _file(text: str) -> Iterator[str]:
    """Yield the path of a file that no other user can read, in memory if the system has such files."""
    in_memory = hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("pem"), "wb") if in_memory else tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}" if in_memory else file.name


async def patiently(what: str, call: Callable[[], Awaitable[Result]]) -> Result:
    """Retry until NATS answers; ``what`` names the call in the log, such as ``preparing to hear orders``."""
    return await until_it_succeeds(what, call, NATS_FAILURES, explain)
