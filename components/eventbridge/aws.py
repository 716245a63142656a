"""The connection to AWS: two clients, and retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import NoCredentialsError

from components.pluggable.log import LOG
from components.pluggable.patience import patiently as until_it_succeeds
from components.pluggable.patience import pause

from .errors import AWS_FAILURES, explain
from .settings import Settings

__all__ = ["LOG", "Aws", "patiently", "pause"]

Result = TypeVar("Result")


class Aws:
    """Clients for the settings of one file. They connect at their first use, and again after every failure.

    Attributes:
        events: the client of EventBridge.
        sqs: the client of SQS.
    """

    events: Any
    sqs: Any

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        settings, session = self._settings, _session(self._settings)
        config = AioConfig(
            # The caller knows better than the client whether and how long to retry.
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=settings.wait_seconds + 10,
            # Each read of a queue holds a connection while it waits, and each topic has a queue.
            max_pool_connections=200,
        )
        try:
            self.events, self.sqs = [
                await self._closing.enter_async_context(
                    session.create_client(
                        name,
                        region_name=settings.region,
                        endpoint_url=settings.endpoint,
                        config=config,
                    )
                )
                for name in ("events", "sqs")
            ]
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()


def _session(settings: Settings) -> AioSession:
    """Return a session with the credentials of the settings, of the role they name, or of AWS's default chain."""
    session = get_session()
    if settings.access_key and settings.secret_key:
        session.set_credentials(settings.access_key, settings.secret_key, settings.session_token)
    if not settings.role:
        return session
    assuming = get_session()
    assuming.register_component("credential_provider", _Role(session, settings))
    return assuming


class _Role:
    """Credentials of a role, renewed before they expire."""

    def __init__(self, session: AioSession, settings: Settings) -> None:
        self._session, self._settings = session, settings

    async def load_credentials(self) -> Any:
        settings = self._settings
        own = await self._session.get_credentials()
        if own is None:
            raise NoCredentialsError
        fetcher = AioAssumeRoleCredentialFetcher(
            client_creator=partial(
                self._session.create_client, region_name=settings.region, endpoint_url=settings.endpoint
            ),
            source_credentials=own,
            role_arn=settings.role,
            extra_args={"RoleSessionName": settings.role_session},
        )
        return AioDeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)


async def patiently(what: str, call: Callable[[], Awaitable[Result]]) -> Result:
    """Retry until AWS answers; ``what`` names the call in the log, such as ``reading queue orders``."""
    return await until_it_succeeds(what, call, AWS_FAILURES, explain)
