"""Opening the store that the settings name."""

from __future__ import annotations

from choreography.errors import ChoreographyError
from choreography.own_tables import Takes
from choreography.service import Service
from choreography.settings import Settings
from choreography.sidecar.client import SidecarClient
from choreography.stores.address import DatabaseAddress, schema_of
from choreography.stores.port import Store
from choreography.stores.sqlite import SqliteStore
from choreography.stores.through_sidecar import SidecarStore


def open_store(service: Service, settings: Settings, sidecar: SidecarClient) -> Store:
    """Return the store of a service: the database in the settings, else the state store of the sidecar.

    Raises:
        ChoreographyError: the database cannot be a store, or cannot hold tables of the service's own.
    """
    refuse_homeless_tables(service, settings)
    lists = service.lists if settings.lists else ()
    if not settings.database:
        return SidecarStore(sidecar, settings.store, lists)
    address = DatabaseAddress.read(settings.database, settings.schema or schema_of(settings.topic_prefix, service.name))
    if address.is_file:
        return SqliteStore(address, service.name, service, lists)
    from choreography.stores.postgres import PostgresStore  # noqa: PLC0415 - SQLite needs no client of PostgreSQL

    return PostgresStore(address, service.name, service, lists)


def refuse_homeless_tables(service: Service, settings: Settings) -> None:
    """Refuse a service that writes tables of its own and has no database for them.

    Raises:
        ChoreographyError: its records are kept by the sidecar, or a hook takes a connection of another kind of
            database.
    """
    own = [f"the projection {one.name}" for one in service.projections] + [
        f"the hook {one.name}" for one in service.hooks
    ]
    if service.outbox and not settings.database.startswith("postgres"):
        raise ChoreographyError(
            f"{service.name} has an outbox, in which its application notes events in transactions of PostgreSQL. Set "
            "CHOREOGRAPHY_DATABASE to the application's database, or remove outbox=True."
        )
    if own and not settings.database:
        raise ChoreographyError(
            f"{service.name} writes tables of its own ({', '.join(own)}), and its records are kept by the sidecar's "
            "state store, whose transactions hold nothing else. Set CHOREOGRAPHY_DATABASE to a PostgreSQL or SQLite "
            "database, or remove them."
        )
    if settings.database.startswith("sqlite") and (
        strange := next((one for one in service.hooks if one.takes is not Takes.SQLALCHEMY), None)
    ):
        raise ChoreographyError(
            f"The hook {strange.name} of {service.name} takes a {strange.takes}, and CHOREOGRAPHY_DATABASE is SQLite. "
            f"Use PostgreSQL, or let it take a {Takes.SQLALCHEMY} in a plain def, which either database has."
        )
