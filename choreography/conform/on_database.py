"""Tests a database that services use without a sidecar, with the drivers that ship."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from choreography.conform.asking import asked, cases_named, watched
from choreography.conform.database_cases import DATABASE_CASES
from choreography.conform.database_rig import database_rigged
from choreography.conform.result import ConformReport
from choreography.conform.store_cases import STORE_CASES
from choreography.progress import Progress
from choreography.stores.port import words_of
from choreography.up.databases import DATABASES
from choreography.up.errors import UpError
from choreography.up.places import alone
from choreography.up.ports import Ports
from choreography.up.postgres import Postgres
from choreography.up.processes import Process, Processes

_OWN: Final = ("postgresql:", "postgres:", "sqlite:")


class DatabaseUnderTest(NamedTuple):
    """A database, by its URL; the kit makes one for ``postgresql:`` and ``sqlite:`` without more."""

    url: str

    @property
    def name(self) -> str:
        """The name of the database in the results."""
        return "sqlite-direct" if self.url.startswith("sqlite") else "postgres-direct"


class _Served(NamedTuple):
    url: str
    version: str
    process: Process | None


async def conform_database(
    database: DatabaseUnderTest, only: Sequence[str], folder: Path, progress: Progress
) -> ConformReport:
    """Test a database.

    Raises:
        ChoreographyError: it cannot be used.
    """
    cases = cases_named((*STORE_CASES, *DATABASE_CASES), only)
    async with AsyncExitStack() as closing:
        closing.enter_context(alone(folder / "lock"))
        served = await closing.enter_async_context(_served(database.url, folder, progress))
        kind = "sqlite3 in the service" if database.name == "sqlite-direct" else "asyncpg in the service"
        report = ConformReport("database", database.name, kind, served.version, "none")
        try:
            rig = await closing.enter_async_context(database_rigged(served.url, served.process))
        except (asyncpg.PostgresError, sqlite3.Error, OSError) as error:
            raise UpError(f"The database cannot be used ({words_of(error)}), so nothing can be asked of it.") from error
        for case in cases:
            async with watched(case, report, progress):
                report.results[-1:] = [await asked(case, rig)]
    return report


@asynccontextmanager
async def _served(url: str, folder: Path, progress: Progress) -> AsyncIterator[_Served]:
    if url.startswith("sqlite"):
        yield _Served(
            f"sqlite:///{folder / 'conform.db'}" if url in _OWN else url, f"SQLite {sqlite3.sqlite_version}", None
        )
        return
    if url not in _OWN:
        yield _Served(url, f"as it was running at {urlsplit(url).hostname}", None)
        return
    ports = Ports(folder / "ports.json")
    installed = await asyncio.to_thread(DATABASES["postgres"], progress)
    server = installed(folder / "data", ports.of("postgres"), "conform")
    await asyncio.to_thread(server.prepare, progress)
    async with Processes() as processes:
        (process,) = processes.wave([server.program(folder / "postgres.log")])
        await process.start()
        await process.until_ready()
        if not isinstance(server, Postgres):
            raise UpError(f"{server.name} is not spoken to by services themselves. Known are: postgresql:, sqlite:.")
        yield _Served(server.url_of("conform"), server.version, process)
    ports.release()
