"""Opening the store that the settings name."""

from __future__ import annotations

from choreography.settings import Settings
from choreography.sidecar.client import Sidecar
from choreography.stores.address import Address, schema_of
from choreography.stores.port import Store
from choreography.stores.sqlite import SqliteStore
from choreography.stores.through_sidecar import SidecarStore


def open_store(service: str, settings: Settings, sidecar: Sidecar) -> Store:
    """Return the store of a service: the database that is named, else the state store of the sidecar.

    Raises:
        ChoreographyError: the database that is named cannot be one.
    """
    if not settings.database:
        return SidecarStore(sidecar, settings.store)
    address = Address.read(settings.database, settings.schema or schema_of(settings.topic_prefix, service))
    if address.is_file:
        return SqliteStore(address, service)
    from choreography.stores.postgres import PostgresStore  # noqa: PLC0415 - SQLite needs no client of PostgreSQL

    return PostgresStore(address, service)
