"""The setup of a service's process before it serves requests."""

from __future__ import annotations

import resource

import pytest
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from choreography import Committing, Entity, Event, Service
from choreography.errors import ChoreographyError
from choreography.settings import Settings
from choreography.stores.opening import refuse_homeless_tables
from choreography.web.serving import allow_connections


@pytest.mark.parametrize("soft", [256, 1024])
def test_slow_clients_find_more_connections_than_a_shell_allows(soft: int) -> None:
    """A hard limit stays as it is."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
        allow_connections()
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert allowed[1] == before[1]
    assert allowed[0] == (65_536 if before[1] == resource.RLIM_INFINITY else min(before[1], 65_536))


class Placed(Event, type="thing.placed.v1", owner="shop", subject="order_id"):
    """Something happened."""

    order_id: str


class Thing(Entity, key="order_id"):
    """Something kept."""

    order_id: str


def with_projection() -> Service:
    """Return a service with a projection."""
    service = Service("shop")
    service.projection("things", key=("order_id",))(mirror)
    return service


def mirror(thing: Thing) -> Thing:
    """Be its own row."""
    return thing


def with_hook(*, waits: bool) -> Service:
    """Return a service with a hook."""
    service = Service("shop")

    @service.in_transaction()
    def note(connection: Connection, committing: Committing) -> None:
        raise NotImplementedError

    @service.in_transaction()
    async def note_async(connection: AsyncConnection, committing: Committing) -> None:
        raise NotImplementedError

    service.hooks = [one for one in service.hooks if one.name == ("note_async" if waits else "note")]
    return service


@pytest.mark.parametrize(
    ("service", "database", "words"),
    [
        (with_projection(), "", "the projection mirror.*Set CHOREOGRAPHY_DATABASE"),
        (with_hook(waits=False), "", "the hook note.*Set CHOREOGRAPHY_DATABASE"),
        (with_hook(waits=True), "sqlite:///shop.db", "Use PostgreSQL, or let it take a sqlalchemy.Connection"),
    ],
)
def test_tables_of_a_services_own_need_a_database_that_is_spoken_to_directly(
    service: Service, database: str, words: str
) -> None:
    """The sidecar's state store has no transaction for them; the message names the way out."""
    with pytest.raises(ChoreographyError, match=words):
        refuse_homeless_tables(service, Settings(database=database))


@pytest.mark.parametrize(
    ("service", "database"),
    [
        (Service("shop"), ""),
        (with_projection(), "sqlite:///shop.db"),
        (with_hook(waits=False), "sqlite:///shop.db"),
        (with_hook(waits=True), "postgresql://shop@host/shop"),
    ],
)
def test_a_service_whose_tables_have_a_database_is_served(service: Service, database: str) -> None:
    """A service without own tables is served with every store."""
    refuse_homeless_tables(service, Settings(database=database))
