"""`choreography migrate` on the command line: its options, and nothing that only the command itself needs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from choreography.cli_options import Prefix


def migrate(
    flow: Annotated[str, typer.Argument(help="The package of a flow, such as apps.checkout.")],
    *,
    database: Annotated[
        str, typer.Option(envvar="CHOREOGRAPHY_DATABASE", help="Its URL, with the role of the owner.")
    ] = "",
    database_file: Annotated[
        str, typer.Option(envvar="CHOREOGRAPHY_DATABASE_FILE", help="A file with that URL; {service} is each service.")
    ] = "",
    service: Annotated[list[str] | None, typer.Option(help="Only this service; may be repeated.")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Only print the statements.")] = False,
    since: Annotated[str, typer.Option("--from", help="With --sql: the migration that the tables are at.")] = "",
    app_role: Annotated[str, typer.Option(help="The role of each service, such as {schema}.")] = "",
    login_file: Annotated[
        str, typer.Option(help="A file with the URL that {service} logs in with, instead of --app-role.")
    ] = "",
    make_roles: Annotated[
        bool, typer.Option("--make-roles", help="Make the role of each --login-file, or give it the password there.")
    ] = False,
    contract: Annotated[
        bool, typer.Option("--contract", help="Drop what no list of this release needs, once no older one runs.")
    ] = False,
    reporting_role: Annotated[str, typer.Option(help="A role that may read the views of all services.")] = "",
    within: Annotated[str, typer.Option(help="How long to wait for a server that does not answer yet.")] = "0s",
    from_dapr: Annotated[
        str, typer.Option(help="Move what Dapr's state store kept: its URL or file; {service} is each service.")
    ] = "",
    dapr_table: Annotated[str, typer.Option(help="The table there, if the component has another name for it.")] = "",
    topic_prefix: Prefix = "",
) -> None:
    """Make the tables of every service of a flow, or bring them to this release."""
    # Only this command needs Alembic.
    from choreography.settings import span_of  # noqa: PLC0415
    from choreography.stores.command import MigrateRequest, run  # noqa: PLC0415

    try:
        patience = span_of(within).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--within") from error
    asked = MigrateRequest(
        flow,
        database=database,
        database_file=database_file,
        services=tuple(service or ()),
        role=app_role,
        login_file=login_file,
        make_roles=make_roles,
        reporting=reporting_role,
        prefix=topic_prefix,
        contract=contract,
        patience=patience,
        since=since,
        from_dapr=from_dapr,
        dapr_table=dapr_table,
    )
    raise typer.Exit(run(asked, Console(), only_text=sql))
