"""Checks the account once when a sidecar starts, so that a mistake in its file is reported at once."""

from __future__ import annotations

import asyncio
from typing import Final

from botocore.session import get_session

from .aws import LOG, Aws
from .errors import (
    AWS_FAILURES,
    CredentialsError,
    SettingsError,
    UnfitError,
    code_of,
    explain,
    is_about_credentials,
    is_missing,
    is_no_answer,
)
from .queues import ensure_bus
from .settings import Settings

_ANSWERS_WITHIN: Final = 3.0
"""Less than a sidecar waits for a component to start, which is 5 seconds unless its file says otherwise."""


async def see_account(aws: Aws, settings: Settings) -> None:
    """Check that AWS knows the caller and has the bus; make the bus if the settings allow it.

    If AWS does not answer, this is no error, because AWS may be away for a while.

    Raises:
        CredentialsError: AWS would refuse every call.
        UnfitError: the bus is missing, and the settings do not allow to make it.
        SettingsError: there is no such region.
    """
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            await _see_bus(aws, settings)
    except AWS_FAILURES as error:
        if is_about_credentials(error):
            raise CredentialsError(f"{settings.place} refuses who calls. It says: {explain(error)}") from error
        if is_no_answer(error) and not _is_known(settings):
            raise SettingsError(
                f"region is {settings.region!r}, which this component does not know, and nothing answers there: "
                f"{explain(error)} Correct the region."
            ) from error
        if is_no_answer(error):
            LOG.warning(
                "%s does not answer yet, and is tried again when it is needed. %s", settings.place, explain(error)
            )
        else:
            LOG.warning("%s did not show bus %s: %s", settings.place, settings.bus, explain(error))


async def _see_bus(aws: Aws, settings: Settings) -> None:
    try:
        await aws.events.describe_event_bus(Name=settings.bus)
    except AWS_FAILURES as error:
        if code_of(error).startswith("AccessDenied"):
            return  # a caller that may only publish may not look
        if not is_missing(error):
            raise
        if not settings.provision:
            raise UnfitError(
                f"The event bus {settings.bus!r} is not in {settings.place}, so whatever is published to it would be "
                'lost. Make it, correct busName, or set provision to "true".'
            ) from error
        await ensure_bus(aws, settings)


def _is_known(settings: Settings) -> bool:
    session = get_session()
    known = (session.get_available_regions("events", name) for name in session.get_available_partitions())
    return bool(settings.endpoint) or any(settings.region in regions for regions in known)
