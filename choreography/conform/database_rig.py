"""A database that services use without a sidecar, under test: the kit's own tables, and two replicas on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from choreography.conform.result import NotShownError
from choreography.conform.store_rig import StoreRig
from choreography.service import Service
from choreography.stores.address import DatabaseAddress
from choreography.stores.migrating import WantedTables, migrate
from choreography.stores.port import Store
from choreography.stores.postgres import PostgresStore
from choreography.stores.sqlite import SqliteStore
from choreography.up.processes import Process

SCHEMA: Final = "choreography_conform"
SERVICE: Final = "conform"


@dataclass
class DatabaseRig(StoreRig):
    """A store of one of the direct drivers.

    Attributes:
        address: the tables of the kit.
    """

    address: DatabaseAddress

    def another(self, address: DatabaseAddress | None = None) -> Store:
        """Return one more replica, perhaps on other tables. The caller closes it."""
        return opened(address or self.address)

    @property
    def url(self) -> str:
        """The URL of the database, if it is on a server.

        Raises:
            NotShownError: the database is a file.
        """
        if self.address.is_file:
            raise NotShownError("a file has no settings that somebody else could change, and no server")
        return self.address.url


def opened(address: DatabaseAddress) -> Store:
    """Return the driver for a database."""
    return SqliteStore(address, SERVICE) if address.is_file else PostgresStore(address, SERVICE)


@asynccontextmanager
async def database_rigged(url: str, server: Process | None) -> AsyncIterator[DatabaseRig]:
    """Make tables for the kit, and remove those on a server at the end.

    Raises:
        ChoreographyError: the database cannot be used.
    """
    address = DatabaseAddress.read(url, SCHEMA)
    await _dropped(address)
    await asyncio.to_thread(migrate, WantedTables(Service(SERVICE), address))
    one = opened(address)
    two = one if address.is_file else opened(address)
    rig = DatabaseRig(one, two, server, address)
    try:
        await one.check()
        yield rig
    finally:
        # A case may have opened them again.
        for store in {id(one): one for one in (rig.one, rig.two)}.values():
            await store.close()
        await _dropped(address)


async def _dropped(address: DatabaseAddress) -> None:
    if address.is_file:
        return
    owner = await asyncpg.connect(address.url)
    await owner.execute(f"drop schema if exists {address.schema} cascade")
    await owner.close()
