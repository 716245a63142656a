"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Broker = Annotated[str, typer.Option(help="What events travel on.")]
Store = Annotated[str, typer.Option(help="Where state is kept: sqlite, postgres or mysql.")]
Traced = Annotated[bool, typer.Option("--zipkin/--no-zipkin", help="Collect traces.")]
PREFIX_HELP = "What all topics begin with on the broker, instead of the name of the flow."
Prefix = Annotated[str, typer.Option(envvar="CHOREOGRAPHY_TOPIC_PREFIX", help=PREFIX_HELP)]
