"""Whoever stole the login of a service, and speaks to the broker without its sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

import redis.asyncio
from redis.exceptions import NoPermissionError


class Refused(Exception):  # noqa: N818 - an answer that is expected
    """The broker did not let somebody do something."""


class Thief(Protocol):
    """One login of one broker."""

    async def publish(self, topic: str, message: bytes) -> None:
        """Put a message on a topic, or raise Refused."""

    async def read(self, topic: str) -> None:
        """Take from a topic what nobody has read, or raise Refused."""

    async def __aenter__(self) -> Self:
        """Log in."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out."""


class OnRedis:
    """A user of Redis."""

    def __init__(self, address: str, login: Mapping[str, str]) -> None:
        host, _, port = address.partition(":")
        self._client = redis.asyncio.Redis(
            host=host, port=int(port), username=login["REDIS_USERNAME"], password=login["REDIS_PASSWORD"]
        )

    async def __aenter__(self) -> Self:
        await self._client.ping()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def publish(self, topic: str, message: bytes) -> None:
        """Add to a stream."""
        try:
            await self._client.xadd(topic, {"data": message})
        except NoPermissionError as error:
            raise Refused(str(error)) from error

    async def read(self, topic: str) -> None:
        """Become a reader of a stream."""
        try:
            await self._client.xgroup_create(topic, "inventory", "0")
        except NoPermissionError as error:
            raise Refused(str(error)) from error


THIEVES = {"redis": OnRedis}
