"""Where the services of a flow keep their records: in a database of their own, or in a store of their sidecars."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from choreography.flow import package_at, services_of
from choreography.stores.address import DatabaseAddress, schema_of
from choreography.up.errors import UpError
from choreography.up.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from choreography.progress import Progress
    from choreography.up.databases import Database, Installed
    from choreography.up.flowfile import FlowFile
    from choreography.up.ports import Ports
    from choreography.up.processes import Process

_BY_SIDECAR: Final = "-by-dapr"


class Choice(NamedTuple):
    """One choice of a store, by the name that a person gives.

    Attributes:
        server: the server that it needs; empty if it needs none.
        component: the state store of the sidecars in ``dapr/stores``; empty if services use the database directly.
    """

    server: str
    component: str


STORES: Final[Mapping[str, Choice]] = {
    "sqlite": Choice("", ""),
    "postgres": Choice("postgres", ""),
    "mysql": Choice("mysql", "mysql"),
    f"sqlite{_BY_SIDECAR}": Choice("", "sqlite"),
    f"postgres{_BY_SIDECAR}": Choice("postgres", "postgres"),
}
"""Where state may be kept."""


@dataclass
class StateKeeping:
    """The records of one running flow.

    Attributes:
        choice: the kind of store.
        flow: the name of the flow.
        package: the package that declares the flow; without it, no tables are made.
        folder: the folder of SQLite's files.
        database: the server, if it needs one.
    """

    choice: Choice
    flow: str
    package: str
    folder: Path
    database: Database | None

    def file_of(self, service: str) -> Path:
        """Return the SQLite file of a service. Each service has its own, because a file admits one writer at a time."""
        return self.folder / f"{service}.db"

    def told(self, service: str, port: int) -> Mapping[str, str]:
        """Return the variables by which a service reaches its database at ``port``."""
        if self.choice.component:
            # The state API finds records only by their keys.
            return {"CHOREOGRAPHY_LISTS": "off"}
        address = self._address(service, port)
        return {"CHOREOGRAPHY_DATABASE": address.url, "CHOREOGRAPHY_SCHEMA": address.schema}

    def for_sidecar(self, service: str, port: int) -> Mapping[str, str]:
        """Return the variables that the state store of a sidecar takes from its environment."""
        database = self.database
        return {"STATE_CONNECTION": database.at(port).dsn if database is not None else str(self.file_of(service))}

    def resources_in(self, file: FlowFile) -> list[Path]:
        """Return the folder with the state store of the sidecars, if they have one."""
        return [file.state_resources_for(self.choice.component)] if self.choice.component else []

    def prepare(self, progress: Progress) -> None:
        """Make the folder for files, and the data folder of the server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.database is not None:
            self.database.prepare(progress)

    async def make_tables(self, servers: Iterable[Process]) -> None:
        """Wait for the database server, and make the tables of all services, or migrate them to this release."""
        for process in servers:
            if self.database is not None and process.program.name == self.database.name:
                await process.until_ready()
        if self.package and not self.choice.component:
            await asyncio.to_thread(self._make_tables)

    def _make_tables(self) -> None:
        from choreography.stores.migrating import WantedTables, migrate  # noqa: PLC0415 - only this step needs Alembic

        database = self.database
        for service in services_of(self.package):
            schema = schema_of(self.flow, service.name)
            if isinstance(database, Postgres):
                migrate(WantedTables(service, DatabaseAddress.read(database.url_of(database.database), schema), schema))
            else:
                migrate(WantedTables(service, self._address(service.name, 0)))

    def _address(self, service: str, port: int) -> DatabaseAddress:
        schema = schema_of(self.flow, service)
        if self.database is None:
            return DatabaseAddress.read(f"sqlite:///{self.file_of(service)}", schema)
        if not isinstance(self.database, Postgres):
            raise UpError(f"Services do not speak to {self.database.name} themselves. Use postgres or sqlite.")
        return DatabaseAddress.read(self.database.url_of(schema, port), schema)


def keep(store: str, file: FlowFile, run_folder: Path, installed: Installed | None, ports: Ports) -> StateKeeping:
    """Return the place of a flow's records.

    Args:
        store: one of STORES.
        file: the processes of the flow.
        run_folder: the folder of the run.
        installed: the server, if it needs one.
        ports: the ports of the run.
    """
    choice, database = STORES[store], None
    if installed is not None:
        database = installed(run_folder / choice.server, ports.of(choice.server), file.name)
        if isinstance(database, Postgres) and not choice.component:
            database = replace(database, roles=tuple(schema_of(file.name, app.name) for app in file.services))
    return StateKeeping(choice, file.name, package_at(file.path.parent), run_folder / "state", database)
