"""`choreography migrate`: the tables of every service of a flow, made by a role that owns them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from rich.console import Console

from choreography.errors import ChoreographyError
from choreography.flow import package_of, services_of
from choreography.service import Service
from choreography.stores.address import DatabaseAddress, schema_of
from choreography.stores.from_dapr.moving import move
from choreography.stores.from_dapr.sources import MoveError, source_at
from choreography.stores.logins import Login
from choreography.stores.migrating import MigrationError, NotThereError, WantedTables, as_text, migrate
from choreography.stores.postgres_check import NO_ANSWER
from choreography.topics import prefix_of

_AGAIN = 1.0


@dataclass(frozen=True)
class MigrateRequest:
    """The options of one run of the command.

    Attributes:
        flow: the package of the flow.
        database: the URL, with the role that owns the tables; ``{service}`` in it stands for the name of each service.
        database_file: a file with that URL instead; ``{service}`` in its path likewise.
        services: the names of the services whose tables are made; empty means all of the flow.
        role: the role of each service, with ``{schema}`` or ``{service}`` in it; if empty, nothing is granted.
        login_file: a file with the login URL of a service, which names the role instead.
        make_roles: make the role that this file names, or set its password to the one in the file.
        reporting: a role that may read all views.
        prefix: the prefix of the schemas; if empty, the name of the flow.
        contract: drop the fields and indexes that only lists of other releases needed; no other release may run any
            more.
        patience: how many seconds to wait for a server that does not answer.
        since: the migration after which statements are printed; if empty, all are printed.
        from_dapr: the place where Dapr kept the records to move; if empty, nothing is moved.
        dapr_table: the table of Dapr's component there; if empty, the table of this project's components.
    """

    flow: str
    database: str = field(default="", repr=False)
    database_file: str = ""
    services: Sequence[str] = ()
    role: str = ""
    login_file: str = ""
    make_roles: bool = False
    reporting: str = ""
    prefix: str = ""
    contract: bool = False
    patience: float = 0.0
    since: str = ""
    from_dapr: str = field(default="", repr=False)
    dapr_table: str = ""


def run(asked: MigrateRequest, console: Console, *, only_text: bool = False) -> int:
    """Make the tables of a flow's services, or print the statements for that. Return the exit code.

    Raises:
        ChoreographyError: the flow or the database cannot be used; the message says why.
    """
    wanted = list(_wanted(asked))
    if asked.from_dapr and only_text:
        raise ChoreographyError("--from-dapr moves records, which --sql cannot print. Leave one of them out.")
    if asked.since and not only_text:
        raise ChoreographyError("--from belongs to --sql. Without --sql the tables themselves say where they are.")
    if only_text:
        if asked.contract:
            raise ChoreographyError(
                "--contract looks up what no list needs any more, so there is nothing to print beforehand. Run it "
                "without --sql, once no older release runs."
            )
        if any(one.address.is_file for one in wanted):
            raise ChoreographyError("--sql prints statements for PostgreSQL. A SQLite file is simply migrated.")
        console.file.write(as_text(wanted, reporting=asked.reporting, since=asked.since))
        return 0
    patient_until = time.monotonic() + asked.patience
    for one in wanted:
        notes = _migrated(one, asked.reporting, patient_until, console)
        where = one.address.file if one.address.is_file else f"schema {one.address.schema}"
        console.print(f"{one.service.name}: {where} is up to date", style="green", highlight=False, soft_wrap=True)
        for note in notes:
            console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
        if asked.from_dapr:
            moved = _moved(asked, one)
            console.print(f"{one.service.name}: {moved}", style="green", highlight=False, soft_wrap=True)
    return 0


def _moved(asked: MigrateRequest, one: WantedTables) -> str:
    """Move the records that Dapr kept of a service, and print the result."""
    source = source_at(asked.from_dapr, asked.dapr_table, one.service.name)
    try:
        return str(asyncio.run(move(source, one.service.name, one.address)))
    except (*NO_ANSWER, asyncpg.PostgresError, sqlite3.Error) as error:
        raise MoveError(
            f"The records of {one.service.name} could not be moved ({type(error).__name__}: {error}). Nothing is lost: "
            "mend that and run this again."
        ) from error


def _migrated(one: WantedTables, reporting: str, until: float, console: Console) -> Sequence[str]:
    """Migrate the tables of a service; wait only for a server that does not answer."""
    said = ""
    while True:
        try:
            return migrate(one, reporting=reporting)
        except MigrationError as error:
            if not isinstance(error, NotThereError) or time.monotonic() >= until:
                raise ChoreographyError(f"The tables of {one.service.name} could not be made. {error}") from error
            if str(error) != said:
                said = str(error)
                console.print(f"waiting for the database: {said}", style="yellow", markup=False, soft_wrap=True)
        time.sleep(_AGAIN)


def _wanted(asked: MigrateRequest) -> Iterator[WantedTables]:
    if asked.login_file and asked.role:
        raise ChoreographyError("--login-file and --app-role both say who a service is. Leave one of them out.")
    if asked.make_roles and not asked.login_file:
        raise ChoreographyError(
            "--make-roles makes the roles that services log in with, and needs their URLs. Name the files that hold "
            "them: --login-file '/logins/{service}'."
        )
    begins = asked.prefix or prefix_of(package_of(asked.flow).__name__)
    for service in _chosen(asked):
        schema = schema_of(begins, service.name)
        address = DatabaseAddress.read(_url_of_owner(asked, service.name), schema)
        role = asked.role.replace("{schema}", schema).replace("{service}", service.name)
        one = WantedTables(service, address, role, contract=asked.contract)
        if asked.login_file:
            login = Login.read(_in_file(asked.login_file, service.name), service.name)
            one = one._replace(role=login.role, login=login if asked.make_roles else None)
        yield one


def _chosen(asked: MigrateRequest) -> Sequence[Service]:
    services = services_of(asked.flow)
    known = [service.name for service in services]
    if unknown := [name for name in asked.services if name not in known]:
        raise ChoreographyError(
            f"{asked.flow} has no service {unknown[0]!r}, so there are no tables to make. It has {', '.join(known)}."
        )
    return [service for service in services if not asked.services or service.name in asked.services]


def _url_of_owner(asked: MigrateRequest, service: str) -> str:
    if bool(asked.database) == bool(asked.database_file):
        raise ChoreographyError(
            "Say where the database is, in one way: --database with its URL, or --database-file with a file that holds "
            "it (CHOREOGRAPHY_DATABASE and CHOREOGRAPHY_DATABASE_FILE do the same)."
        )
    return (
        _in_file(asked.database_file, service) if asked.database_file else asked.database.replace("{service}", service)
    )


def _in_file(file: str, service: str) -> str:
    path = Path(file.replace("{service}", service))
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChoreographyError(
            f"{path} should hold the URL of a database, and cannot be read ({error}). Mount the Secret that has it."
        ) from error
