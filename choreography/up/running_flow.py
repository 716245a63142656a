"""A flow with all its servers, running on this machine while a `with` block lasts."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from choreography.progress import Progress
from choreography.topics import TopicNaming, prefix_of
from choreography.up.access import guarded, write_with_logins
from choreography.up.errors import ProcessDiedError, UnknownNameError, UpError
from choreography.up.flowfile import App, read_flow
from choreography.up.keeping import keep
from choreography.up.places import alone
from choreography.up.ports import Ports
from choreography.up.processes import Processes, all_ready
from choreography.up.programs import Programs, zipkin_endpoint
from choreography.up.rendered import with_rendered
from choreography.up.sidecars import LOOPBACK, SidecarAddress, write_configuration, write_guest_resources
from choreography.up.toolbox import Tools, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from choreography.drain import Where


class RunningFlow:
    """Starts a flow, knows its addresses, can damage and repair its processes, and stops everything at the end.

    Replicas are called `order`, `order-2`, `order-3`; the sidecar of `order` is the process `order-sidecar`;
    servers are called `redis`, `postgres`, `scheduler` and `zipkin`. State stays in the run folder and is
    found again by the next run. A process that dies unexpectedly is an error, at the latest when the block ends.
    """

    _programs: Programs
    _processes: Processes

    def __init__(
        self,
        flow: str | Path,
        run_folder: str | Path,
        *,
        broker: str = "redis",
        store: str = "sqlite",
        zipkin: bool = False,
        environment: Mapping[str, str] | None = None,
        replicas: Mapping[str, int] | int = 1,
        tools: Tools | None = None,
        progress: Progress | None = None,
        drain: bool = True,
        resources: Path | None = None,
        detours: Mapping[str, int] | None = None,
        access: bool = False,
    ) -> None:
        """Describe the flow; nothing starts before the block is entered.

        Args:
            flow: the folder with the flow's run file.
            run_folder: the folder for state, logs and the chosen ports.
            broker: the broker that carries the events.
            store: the kind of store.
            zipkin: whether to collect traces.
            environment: variables for services, outside programs and Dapr files; they override the run file.
            replicas: how many replicas of every service, or of the named services.
            tools: the programs, if they are prepared already.
            progress: receives the progress of the start.
            drain: whether sidecars may finish their work (some seconds) when everything is stopped.
            resources: a folder of Dapr resources to use instead of the flow's own.
            detours: other ports by which sidecars reach `redis` or `postgres`, such as a proxy's.
            access: whether each service has a user of the broker; else they share one login.
        """
        self.run_folder = Path(run_folder).resolve()
        self.broker, self.store, self.zipkin = broker, store, zipkin
        self._environment = environment or {}
        self._prefix = self._environment.get("CHOREOGRAPHY_TOPIC_PREFIX", "")
        self.file = with_rendered(read_flow(Path(flow)), self.run_folder, broker, self._prefix)
        self._replicas = replicas
        self._tools = tools
        self._progress = progress or Progress.silent()
        self._drain = drain
        self._ports = Ports(self.run_folder / "ports.json")
        self.resources = resources or self.file.resources_for(broker)
        self._detours = dict(detours or {})
        self._access = access
        self._closing = AsyncExitStack()

    @property
    def services(self) -> tuple[str, ...]:
        """The app ids of the flow."""
        return tuple(app.name for app in self.file.services)

    @property
    def redis_port(self) -> int:
        """The port of Redis."""
        return self._ports.of("redis")

    @property
    def broker_at(self) -> Where:
        """The address of the broker, as `choreography provision` and `drain` take it."""
        return self._programs.broker_at

    @property
    def broker_forgets(self) -> str:
        """The reason why a test must not kill the broker, if it keeps nothing on disk; else empty."""
        return self._programs.tools.broker.forgets

    @property
    def postgres_dsn(self) -> str:
        """The connection string of the store."""
        database = self._programs.kept.database
        if database is None:
            raise UpError("This flow keeps its state in SQLite, so it has no PostgreSQL. Use state_file(service).")
        return database.dsn

    def state_file(self, service: str) -> Path:
        """The SQLite file of a service."""
        return self._programs.kept.file_of(service)

    def address(self, name: str) -> str:
        """The base URL of a service, of a replica, of an outside program or of Zipkin."""
        name = name.replace("_", "-")  # an outside program is known by its app id and by its Python module
        running = [*self._programs.addresses, *(app.name for app in self.file.outside)]
        named = [*running, "zipkin"] if self.zipkin else running
        if name not in named:
            raise UnknownNameError.of(name, "address", named)
        return f"http://{LOOPBACK}:{self._ports.of(name)}"

    def sidecar(self, name: str) -> SidecarAddress:
        """The sidecar of a service or of a replica."""
        found = self._programs.address_of(name)
        return SidecarAddress(found.url, found.api_token)

    def app_token(self, name: str) -> str:
        """The token by which an app knows its own sidecar, for tests that deliver to the app themselves."""
        return self._programs.address_of(name).app_token

    def login(self, app: str) -> Mapping[str, str]:
        """The variables by which an app's sidecar logs in to the broker, for tests that steal the login."""
        return self._programs.login(app)

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self._processes.find(name).program.log

    def pid(self, name: str) -> int | None:
        """The process id, None while the process does not run."""
        return self._processes.find(name).pid

    def beside(self, name: str) -> tuple[str, ...]:
        """The processes between a replica and the broker: its sidecar and, for some brokers, a component."""
        component = self._programs.component(name)
        return (f"{name}-sidecar", component.name) if component else (f"{name}-sidecar",)

    async def kill(self, name: str) -> None:
        """Kill a process as a crash would; `start` starts it again."""
        await self._processes.find(name).kill()

    async def kill_sidecar(self, name: str) -> None:
        """Kill the sidecar of a service as a crash would."""
        await self.kill(f"{name}-sidecar")

    def may_end(self, name: str) -> None:
        """Allow a process to end by itself without an error, until it is started again."""
        self._processes.find(name).may_end()

    async def stop(self, name: str) -> None:
        """Stop a process in order."""
        await self._processes.find(name).stop()

    async def start(self, name: str, *, wait: bool = True) -> None:
        """Start a process that was killed or stopped, on its old port."""
        process = self._processes.find(name)
        await process.start()
        if wait:
            await process.until_ready()

    async def start_sidecar(self, name: str, *, wait: bool = True) -> None:
        """Start the sidecar of a service again."""
        await self.start(f"{name}-sidecar", wait=wait)

    def pause(self, name: str) -> None:
        """Freeze a process."""
        self._processes.find(name).pause()

    def resume(self, name: str) -> None:
        """Let a frozen process go on."""
        self._processes.find(name).resume()

    async def also_sidecar(self, app_id: str, *topics: str) -> SidecarAddress:
        """Start a sidecar without an app, to publish as `app_id` to `topics`; the scopes then allow this."""
        guest = f"{app_id}-guest"
        addresses = self._programs.give_addresses(guest, app_id, None)
        resources = write_guest_resources(self.resources, self.run_folder / "guests" / app_id, app_id, topics)
        if component := self._programs.component(guest):
            beside = self._processes.join(component)
            await beside.start()
            await beside.until_ready()
        process = self._processes.join(self._programs.sidecar(guest, resources))
        await process.start()
        await process.until_ready()
        return SidecarAddress(addresses.url, addresses.api_token)

    async def until_death(self) -> ProcessDiedError:
        """Wait until a process dies unexpectedly."""
        return await self._processes.until_death()

    def prepare(self) -> None:
        """Find or obtain every program, which may take minutes.

        Call it before an event loop runs, else a Ctrl-C waits until a build has ended.
        """
        self._tools = self._tools or prepare(self._progress, broker=self.broker, store=self.store, zipkin=self.zipkin)
        self.zipkin = self.zipkin and self._tools.zipkin is not None

    async def __aenter__(self) -> Self:
        try:
            self._closing.enter_context(alone(self.run_folder / "lock"))
            self._closing.callback(self._ports.release)
            self._programs = self._plan()
            self._processes = await self._closing.enter_async_context(Processes())
            await self._start_everything()
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        death = self._processes.death
        # After a failure, nothing is worth the wait for an orderly end; a Ctrl-C is not a failure.
        if self._drain and not isinstance(error, Exception):
            self._progress.note("stopping everything; sidecars may finish what is under way (5 s)")
        else:
            await asyncio.gather(*(self.kill_sidecar(name) for name in self._programs.addresses))
        await self._closing.aclose()
        self._progress.done("everything is stopped")
        # A dead process explains the error that the caller got, or the event that the caller missed.
        if death is not None and error is not death:
            if error is None:
                raise death
            error.add_note(str(death))

    def _plan(self) -> Programs:
        self.prepare()
        tools = self._tools
        assert tools is not None  # noqa: S101 - prepare() sets it
        if self._access:
            prefix = self._prefix or prefix_of(self.file.name)
            tools, logins = guarded(tools, self.file.access, self.services, TopicNaming(prefix))
            self.resources = write_with_logins(self.resources, self.run_folder / "resources-with-logins", logins)
        traces = zipkin_endpoint(self._ports) if self.zipkin else None
        keeping = keep(self.store, self.file, self.run_folder, tools.database, self._ports)
        programs = Programs(
            file=self.file,
            run_folder=self.run_folder,
            ports=self._ports,
            tools=tools,
            resources=self.resources,
            configuration=write_configuration(self.file.configuration, self.run_folder / "config.yaml", traces),
            kept=keeping,
            traced=self.zipkin,
            environment=self._environment,
            detours=self._detours,
        )
        keeping.prepare(self._progress)
        return programs

    async def _start_everything(self) -> None:
        replicas = [(app, name) for app in self.file.services for name in self._replica_names(app)]
        servers = self._processes.wave(self._programs.servers())
        outside = self._processes.wave([self._programs.outside(app) for app in self.file.outside])
        apps = self._processes.wave([self._programs.app(app, name) for app, name in replicas])
        for process in [*servers, *outside]:
            await process.start()
        await self._programs.kept.make_tables(servers)
        # Apps need seconds to import. They do so while the other servers start, and then wait for their sidecars.
        for process in apps:
            await process.start()
        # A sidecar gives up if its broker or store is missing, and loses spans if its Zipkin is missing.
        await all_ready(self._progress, servers)
        # A sidecar waits for a missing stream or topic, and the broker discards an event without a queue.
        if self.file.services:
            await self._programs.provision()
        components = self._processes.wave([one for _, name in replicas if (one := self._programs.component(name))])
        for process in components:
            await process.start()
        await all_ready(self._progress, components)
        sidecars = self._processes.wave([self._programs.sidecar(name) for _, name in replicas])
        for process in sidecars:
            await process.start()
        await all_ready(self._progress, [*outside, *sidecars, *apps])

    def _replica_names(self, app: App) -> list[str]:
        count = self._replicas if isinstance(self._replicas, int) else self._replicas.get(app.name, 1)
        return [app.name, *(f"{app.name}-{number}" for number in range(2, count + 1))]
