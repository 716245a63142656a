"""The command line: one verb per task, the same on a laptop and in a build."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from choreography.cli_migrate import migrate
from choreography.cli_options import PREFIX_HELP, Broker, Prefix, Store, Traced
from choreography.exit_codes import BROKEN, HOLDS
from choreography.progress import Progress
from choreography.refusing import run_or_refuse, seconds_of
from choreography.up import RunningFlow, prepare

RUN_FOLDERS = Path(".run")

app = typer.Typer(
    help="Services that dance without a conductor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def commands() -> None:
    """Services that dance without a conductor."""


@app.command()
def new(flow: Annotated[str, typer.Argument(help="A folder to make, such as apps/visits.")]) -> None:
    """Make a small complete flow to start from: two services, properties, tests and a run file."""
    # Only these commands import flows.
    from choreography.flow import package_of  # noqa: PLC0415
    from choreography.new import new_flow  # noqa: PLC0415
    from choreography.render import write  # noqa: PLC0415

    console = Console()
    for path in new_flow(flow):
        console.print(f"wrote {path}", style="green", highlight=False)
    importlib.invalidate_caches()
    package = package_of(flow).__name__
    console.print(f"rendered {len(write(package))} files from its declarations", style="green", highlight=False)
    console.print(
        f"\nNow try:\n  pytest {flow}\n  choreography check {package}\n  choreography explore {package}\n"
        f"  choreography up {flow}\nThen change it; docs/your-own-flow.md walks you through.",
        highlight=False,
    )


@app.command()
def up(
    flow: Annotated[Path, typer.Argument(help="The folder of a flow, such as apps/checkout.")],
    *,
    broker: Broker = "redis",
    store: Store = "sqlite",
    orders: Annotated[int, typer.Option(min=1, help="How large the rehearsal is.")] = 200,
    leave: Annotated[bool, typer.Option("--exit", help="End after the rehearsal.")] = False,
    zipkin: Traced = True,
    topic_prefix: Prefix = "",
    access: Annotated[bool, typer.Option("--access", help="Give each service a user of the broker.")] = False,
) -> None:
    """Set up this machine, start a flow with everything it needs, and rehearse it."""
    # Only this command starts sidecars.
    from choreography.check import refuse_unsafe  # noqa: PLC0415
    from choreography.up.command import run  # noqa: PLC0415

    console = Console()
    progress = Progress(console)
    running = RunningFlow(
        flow,
        RUN_FOLDERS / flow.resolve().name,
        broker=broker,
        store=store,
        zipkin=zipkin,
        progress=progress,
        environment={"CHOREOGRAPHY_TOPIC_PREFIX": topic_prefix} if topic_prefix else {},
        access=access,
    )
    refuse_unsafe(running.resources)
    running.prepare()
    raise typer.Exit(run(running, flow, orders, console, leave=leave))


@app.command()
def tools(broker: Broker = "redis", store: Store = "sqlite", zipkin: Traced = True) -> None:
    """Find or obtain every program that `up` and the tests need, and say where they are."""
    prepare(Progress(Console()), broker=broker, store=store, zipkin=zipkin)


@app.command()
def provision(
    resources: Annotated[Path, typer.Argument(help="Rendered Dapr files, such as .run/checkout/rendered/dapr/kafka.")],
    *,
    address: Annotated[str, typer.Option(envvar="BROKER_ADDRESS", help="Where it is, as its component says it.")],
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic; no more replicas than that have work.")] = 12,
    copies: Annotated[int, typer.Option(min=1, help="On how many nodes the broker keeps everything.")] = 3,
) -> None:
    """Make the topics, streams or queues that a broker must have beforehand. What is there is left as it is."""
    # Only this command speaks to brokers itself.
    from choreography.provision import layout_of, provision  # noqa: PLC0415

    for sentence in asyncio.run(provision(layout_of(resources), address, partitions=partitions, copies=copies)):
        Console().print(sentence, style="green", highlight=False)


app.command()(migrate)


@app.command()
def drain(
    resources: Annotated[Path, typer.Argument(help="The rendered Dapr files with which the flow runs.")],
    *,
    address: Annotated[str, typer.Option(envvar="BROKER_ADDRESS", help="Where it is, as its component says it.")],
    management: Annotated[str, typer.Option(envvar="BROKER_MANAGEMENT", help="RabbitMQ's management plugin.")] = "",
    replica: Annotated[
        list[str] | None,
        typer.Option(help="Where replicas are; {app} is each service. By default where they are in a cluster."),
    ] = None,
    within: Annotated[str, typer.Option(help="How long to wait, such as 90s or 10m.")] = "10m",
    grace: Annotated[
        str, typer.Option(help="How long a replica told to end may go on; nothing may move then.")
    ] = "45s",
) -> None:
    """Wait until nothing of a flow is under way any more, its intake being closed. Nothing is changed."""
    # Only this command looks at brokers.
    from choreography.drain.command import run  # noqa: PLC0415
    from choreography.drain.replicas import USUAL  # noqa: PLC0415
    from choreography.drain.sight import Where  # noqa: PLC0415
    from choreography.settings import span_of  # noqa: PLC0415

    try:
        spans = {"within": span_of(within), "grace": span_of(grace)}
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error
    raise typer.Exit(run(resources, Where(address, management), replica or [USUAL], console=Console(), **spans))


@app.command()
def conform(
    component: Annotated[
        str,
        typer.Argument(
            help="A Dapr component file, ours or yours: a broker or a store. Or the URL of a database, for its owner: "
            "postgresql://..., sqlite:///file. postgresql: and sqlite: make one."
        ),
    ],
    *,
    start: Annotated[str, typer.Option(help="Start this server for it; without, it is used as it is running.")] = "",
    address: Annotated[str, typer.Option(help="Where a running broker is, so that topics can be made.")] = "",
    resiliency: Annotated[Path | None, typer.Option(help="The policies it is used with.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Part of the name of a case; may be repeated.")] = None,
    patience: Annotated[
        float, typer.Option(parser=seconds_of, help="Seconds after which what has not happened never will.")
    ] = 150,
    docs: Annotated[Path | None, typer.Option(help="A folder with conformance.md to write the results into.")] = None,
    unjudged: Annotated[bool, typer.Option("--unjudged", help="Ask the server whatever the settings say.")] = False,
) -> None:
    """Show, on the real broker or store, whether it does what the guarantee rests on."""
    # Only this command tests components.
    from choreography.conform.command import ComponentUnderTest, database_of, run, run_database  # noqa: PLC0415

    cases, folder = tuple(only or ()), RUN_FOLDERS / "conform"
    if database := database_of(component):
        raise typer.Exit(run_database(database, cases, folder / database.name, Console(), docs))
    subject = ComponentUnderTest(Path(component), start, address, resiliency, cases, patience, not unjudged)
    raise typer.Exit(run(subject, folder / subject.component.stem, Console(), docs))


@app.command()
def render(
    flow: Annotated[str, typer.Argument(help="The package of a flow, such as apps.checkout.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="Only compare, and fail on a difference.")] = False,
    chart: Annotated[
        Path | None, typer.Option(help="A chart that shall hold this flow, such as helm/choreography.")
    ] = None,
    topic_prefix: Annotated[str, typer.Option(help=PREFIX_HELP)] = "",
) -> None:
    """Write everything that follows from a flow's declarations: Dapr files, diagrams, pages, AsyncAPI, Kubernetes."""
    # Only this command needs to import the flow.
    from choreography.render import compare, write  # noqa: PLC0415

    done = (
        []
        if check
        else [f"{'wrote' if path.exists() else 'removed'} {path}" for path in write(flow, chart, topic_prefix)]
    )
    lines = compare(flow, topic_prefix) if check else done
    for line in lines or [f"Everything rendered from {flow} is as it should be."]:
        style = "red" if check and lines else "green"
        Console().print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(BROKEN if check and lines else HOLDS)


@app.command()
def check(
    flow: Annotated[str, typer.Argument(help="The package of a flow, such as apps.checkout.")],
    *,
    form: Annotated[str, typer.Option("--format", help="text, json or sarif.")] = "text",
) -> None:
    """Find what is wrong between the services of a flow before any of them runs."""
    # Only this command needs the rules, and the flow.
    from choreography.check.command import Format, run  # noqa: PLC0415

    known = [str(one) for one in Format]
    if form not in known:
        raise typer.BadParameter(f"{form!r} is no format; there are {', '.join(known)}.", param_hint="--format")
    raise typer.Exit(run(flow, Format(form)))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def explore(
    context: typer.Context,
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The package of a flow, such as apps.checkout.")] = "",
    *,
    scenario: Annotated[str, typer.Option(show_default="the first", help="Which of its scenarios.")] = "",
    runs: Annotated[int | None, typer.Option("--random", min=1, help="Walk so many runs by chance instead.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, show_default="another each time", help="Where the random runs begin.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, show_default="10000", help="Follow runs no further than so many steps.")
    ] = None,
    states: Annotated[
        int | None, typer.Option(min=1, show_default="20000000", help="See no more states than this.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(parser=seconds_of, show_default="3600", help="Take no longer than this.")
    ] = None,
    in_browser: Annotated[bool, typer.Option("--serve", help="Step through the flow in a browser.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where --serve listens; 0 takes a free port.")] = 8790,
    help_: Annotated[
        bool, typer.Option("--help", help="Show this; after a FLOW also its scenarios and their settings.")
    ] = False,
) -> None:
    """Try every order of every event on the production reactions; a scenario's settings follow, such as --orders 2."""
    # Only this command needs the model checker, and the flow.
    from choreography.explore.command import bounded, scenarios_of, settings_of  # noqa: PLC0415
    from choreography.explore.command import explore as look  # noqa: PLC0415

    if help_:
        typer.echo(context.get_help())
        for line in scenarios_of(flow) if flow else ():
            typer.echo(line)
        raise typer.Exit
    if not flow or flow.startswith("-"):
        raise typer.BadParameter("Name the package of a flow first, such as apps.checkout.", param_hint="FLOW")
    options = [option for one in context.command.params for option in one.opts]
    if in_browser:
        if runs or seed is not None:
            raise typer.BadParameter("In the browser you choose each step, so leave out --random and --seed.")
        # Only this option needs a web server.
        from choreography.explore.browser import serve as serve_explorer  # noqa: PLC0415

        settings = settings_of(flow, scenario, context.args, options)
        bounds = bounded(states, depth, seconds)
        serve_explorer(flow, scenario, settings, limits=bounds, port=port, console=Console())
        return
    ended = look(
        flow,
        scenario=scenario,
        words=context.args,
        options=options,
        runs=runs,
        seed=seed,
        depth=depth,
        states=states,
        seconds=seconds,
    )
    raise typer.Exit(ended)


@app.command()
def serve(module: Annotated[str, typer.Argument(help="The module of one service.")]) -> None:
    """Serve one service beside its Dapr sidecar."""
    # The other commands must not wait until web servers and telemetry are imported.
    from choreography.web import serve as serve_module  # noqa: PLC0415

    serve_module(module)


def main() -> None:
    """Run the command line; whatever goes wrong is said in a sentence, and the exit code tells what it means."""
    # A flow is imported from where the command is typed, as `python -m` would.
    sys.path.insert(0, str(Path.cwd()))
    run_or_refuse(app)
