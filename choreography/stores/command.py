"""`choreography migrate`: the tables of every service of a flow, made by a role that owns them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from choreography.errors import ChoreographyError
from choreography.flow import package_of, services_of
from choreography.stores.address import Address, schema_of
from choreography.stores.migrating import MigrationError, Wanted, as_text, migrate
from choreography.topics import prefix_of


def run(flow: str, database: str, *, only_text: bool, roles: str, reporting: str, prefix: str, console: Console) -> int:
    """Make the tables of a flow's services, or print the statements that would. Return the exit code.

    Args:
        flow: the package of the flow.
        database: the URL, with the role that owns the tables; ``{service}`` in it is each service.
        only_text: print and do nothing.
        roles: the role of each service, with ``{schema}`` or ``{service}`` in it; nobody is granted anything if empty.
        reporting: a role that may read all views.
        prefix: what the schemas begin with; the name of the flow if it is empty.
        console: where to say what was done.

    Raises:
        ChoreographyError: the flow or the database cannot be used; the sentence says why.
    """
    wanted = list(_wanted(flow, database, roles, prefix))
    if only_text:
        if any(one.address.is_file for one in wanted):
            raise ChoreographyError("--sql prints statements for PostgreSQL. A SQLite file is simply migrated.")
        console.file.write(as_text(wanted, reporting=reporting))
        return 0
    for one in wanted:
        try:
            notes = migrate(one, reporting=reporting)
        except MigrationError as error:
            raise ChoreographyError(f"The tables of {one.service.name} could not be made. {error}") from error
        where = one.address.file if one.address.is_file else f"schema {one.address.schema}"
        console.print(f"{one.service.name}: {where} is up to date", style="green", highlight=False, soft_wrap=True)
        for note in notes:
            console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
    return 0


def _wanted(flow: str, database: str, roles: str, prefix: str) -> Iterator[Wanted]:
    begins = prefix or prefix_of(package_of(flow).__name__)
    for service in services_of(flow):
        schema = schema_of(begins, service.name)
        url = database.replace("{service}", service.name)
        yield Wanted(service, Address.read(url, schema), roles.format(schema=schema, service=service.name))
