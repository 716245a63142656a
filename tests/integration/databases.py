"""A PostgreSQL with the tables of checkout's services, each with a role of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from choreography.flow import services_of
from choreography.stores.address import DatabaseAddress, schema_of
from choreography.stores.migrating import WantedTables, migrate
from choreography.up.postgres import Postgres
from tests.integration.postgres_server import postgres_server

ORDER, BILLING = (
    next(one for one in services_of("apps.checkout") if one.name == name) for name in ("order", "billing")
)
READER: Final = "reader"


@asynccontextmanager
async def postgres_in(folder: Path) -> AsyncIterator[Postgres]:
    """Run PostgreSQL with an owner, two roles of services, and one for reports."""
    async with postgres_server(folder, "checkout_order", "checkout_billing", READER) as database:
        for service in (ORDER, BILLING):
            schema = schema_of("checkout", service.name)
            owned = DatabaseAddress.read(database.url_of("checkout"), schema)
            await asyncio.to_thread(migrate, WantedTables(service, owned, schema), reporting=READER)
        yield database
