"""Tests one component: starts its server and its sidecars, and runs case after case."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from choreography.conform.asking import ConformError, asked, cases_named, watched
from choreography.conform.broker_cases import BROKER_CASES
from choreography.conform.result import ConformReport
from choreography.conform.rig import Bench, rigged
from choreography.conform.store_cases import STORE_CASES
from choreography.conform.store_rig import store_rigged
from choreography.progress import Progress
from choreography.render.known_components import CONFORMS
from choreography.render.resources import resource_in
from choreography.render.setting_rules import judge_settings
from choreography.render.shapes import misshapen
from choreography.up import dapr
from choreography.up.brokers import BROKERS, Pluggable
from choreography.up.databases import DATABASES
from choreography.up.places import alone
from choreography.up.ports import Ports
from choreography.up.processes import Process, Processes, Program
from choreography.up.running_tools import ask

STARTABLE: Final = (*BROKERS, *DATABASES, "sqlite")
"""The servers that can be started for a component."""


@dataclass(frozen=True)
class Workplace:
    """The folder and the ports of a component's server."""

    ports: Ports
    root: Path

    def port(self, name: str) -> int:
        """The port called `name`."""
        return self.ports.of(name)

    def folder(self, name: str) -> Path:
        """A folder of the run; it is made if it is missing."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.root / f"{name}.log"


@dataclass(frozen=True)
class ComponentUnderTest:
    """The component to test, and its server.

    Attributes:
        component: the component file.
        start: the server to start for it; none if another program has started one.
        address: the address of that server, for making topics; if it is empty, the broker must make topics itself.
        resiliency: the policies that are used with a broker.
        only: the names of cases, or parts of names; all cases if empty.
        patience: seconds after which an event that did not happen counts as never happening.
        judged: whether settings that are known to lose messages are refused before any server is used.
    """

    component: Path
    start: str = ""
    address: str = ""
    resiliency: Path | None = None
    only: Sequence[str] = ()
    patience: float = 150.0
    judged: bool = True


async def conform(subject: ComponentUnderTest, folder: Path, progress: Progress) -> ConformReport:
    """Test a component.

    Raises:
        ConformError: its file, or the policies, cannot be used, or its settings are known to lose messages.
    """
    component = _component(subject.component)
    if subject.judged:
        _refuse_settings(subject.component.name, component)
    kind = str(component["spec"]["type"])
    if subject.start and subject.start not in STARTABLE:
        raise ConformError(f"Nobody here can start {subject.start!r}. Known are: {', '.join(STARTABLE)}.")
    is_broker = kind.startswith("pubsub.")
    cases = cases_named(BROKER_CASES if is_broker else STORE_CASES, subject.only)
    policies = _resiliency(subject) if is_broker else {}
    async with AsyncExitStack() as closing:
        closing.enter_context(alone(folder / "lock"))
        ports = Ports(folder / "ports.json")
        closing.callback(ports.release)
        daprd, _ = await asyncio.to_thread(dapr.find_or_build, progress)
        processes = await closing.enter_async_context(Processes())
        place = Workplace(ports, folder)
        start = _start_broker if is_broker else _start_store
        served = await start(subject, place, processes, progress)
        report = ConformReport(
            "broker" if is_broker else "store", subject.component.stem, kind, served.version, _version(daprd)
        )
        if is_broker:
            bench = Bench(
                daprd,
                component,
                policies,
                served.told,
                served.address,
                served.process,
                folder,
                subject.patience,
                served.beside,
                served.forgets,
            )
            for case in cases:
                async with watched(case, report, progress), rigged(bench, processes, ports) as rig:
                    report.results[-1:] = [await asked(case, rig)]
        else:
            async with store_rigged(
                daprd,
                component,
                served.told,
                processes=processes,
                ports=ports,
                folder=folder,
                server=served.process,
            ) as store_rig:
                for case in cases:
                    async with watched(case, report, progress):
                        report.results[-1:] = [await asked(case, store_rig)]
    return report


@dataclass(frozen=True)
class _Served:
    """A server, our own or another program's."""

    told: dict[str, str]
    address: str
    version: str
    process: Process | None
    beside: Callable[[str], Program] | None = None
    forgets: str = ""


async def _start_broker(
    subject: ComponentUnderTest, place: Workplace, processes: Processes, progress: Progress
) -> _Served:
    if not subject.start:
        return _Served({}, subject.address, "as it was running", None)
    broker = await asyncio.to_thread(BROKERS[subject.start], progress)
    started = processes.wave(broker.programs(place))
    for process in started:
        await process.start()
        await process.until_ready()
    port = place.port(broker.name)
    beside = partial(broker.component, place, port=port) if isinstance(broker, Pluggable) else None
    return _Served(dict(broker.told(port)), broker.address(port), broker.version, started[-1], beside, broker.forgets)


async def _start_store(
    subject: ComponentUnderTest, place: Workplace, processes: Processes, progress: Progress
) -> _Served:
    if not subject.start:
        return _Served({}, "", "as it was running", None)
    if subject.start == "sqlite":
        return _Served({"STATE_CONNECTION": str(place.folder("sqlite") / "state.db")}, "", "in the sidecar", None)
    installed = await asyncio.to_thread(DATABASES[subject.start], progress)
    database = installed(place.folder("data") / subject.start, place.port(subject.start), "conform")
    await asyncio.to_thread(database.prepare, progress)
    process = processes.wave([database.program(place.log(subject.start))])[0]
    await process.start()
    await process.until_ready()
    return _Served({"STATE_CONNECTION": database.dsn}, "", database.version, process)


def _component(file: Path) -> dict[str, Any]:
    try:
        documents = [one for one in yaml.safe_load_all(file.read_text()) if one]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConformError(
            f"{file} cannot be read as a component ({' '.join(str(error).split())}), so there is nothing to test. "
            "Name a Dapr component file, such as components/brokers/redis.yaml."
        ) from error
    components = [one for one in documents if isinstance(one, dict) and one.get("kind") == "Component"]
    kinds = [str(one.get("spec", {}).get("type", "")) for one in components]
    if len(components) != 1 or not kinds[0].startswith(("pubsub.", "state.")):
        raise ConformError(
            f"{file} holds {', '.join(kinds) or 'no component'}; exactly one broker (pubsub.*) or store (state.*) "
            "can be tested at a time. Name a file with one."
        )
    return components[0]


def _refuse_settings(file: str, component: dict[str, Any]) -> None:
    """Refuse settings that `check` would refuse, except an untested type: the kit is meant for these."""
    tried = {CONFORMS: "it is being tried"}
    problem = misshapen(component)
    sentences = [problem] if problem else judge_settings(replace(resource_in(file, 0, component), annotations=tried))
    told = "".join(f"\n  {sentence}" for sentence in sentences)
    if told:
        raise ConformError(
            f"The settings of {file} would lose messages, so its server is not asked:{told}\n"
            "Mend them, or add --unjudged to ask the server all the same."
        )


def _resiliency(subject: ComponentUnderTest) -> dict[str, Any]:
    folders = [subject.component.resolve().parent, *subject.component.resolve().parents[1:3]]
    found = subject.resiliency or next(
        (one / "resiliency.yaml" for one in folders if (one / "resiliency.yaml").exists()), None
    )
    if found is None:
        raise ConformError(
            f"There is no resiliency.yaml beside or above {subject.component}, and without its retries most "
            "brokers lose what failed once. Name one: --resiliency components/resiliency.yaml."
        )
    try:
        policies = yaml.safe_load(found.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        policies = " ".join(str(error).split())
    if not isinstance(policies, dict) or policies.get("kind") != "Resiliency":
        raise ConformError(
            f"{found} cannot be read as a Resiliency ({policies if isinstance(policies, str) else 'it is none'}), and "
            "without retries most brokers lose what failed once. Name one: --resiliency components/resiliency.yaml."
        )
    return policies


def _version(daprd: Path) -> str:
    found = re.search(r"\d+\.\d+\.\d+", ask([str(daprd), "--version"]) or "")
    # A component that we built may not know its own version; its folder has it.
    return found.group() if found else daprd.parent.name.removeprefix("dapr-")
