"""A node on this machine: its namespaces, the cable to it, and what a run that was killed could leave behind."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.errors import UpError
from choreography.up.places import alone
from choreography.up.processes import Processes, Program
from lab import certificates, settings
from lab.node import READY, UPLINK
from lab.site import MOST, Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lab.tools import Tools

_ROOT = Path(__file__).resolve().parents[1]
_OWN = ("--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc")


class Machine:
    """The machine that is one node, and how to do something on it."""

    def __init__(self, site: Site, processes: Processes, first: int) -> None:
        self.site = site
        self.processes = processes
        self._first = first

    def inside(self, *command: str) -> list[str]:
        """The command that runs another one on the node."""
        return ["nsenter", "--target", str(self._first), "--mount", "--net", "--uts", "--", *command]


@asynccontextmanager
async def node(folder: Path, tools: Tools) -> AsyncIterator[Machine]:
    """Run a node with nothing on it; afterwards nothing is left of it but its logs."""
    with alone(folder / "lock"):
        site = Site(folder.resolve(), _free_number())
        _forget(site)
        shutil.rmtree(site.logs, ignore_errors=True)
        try:
            await _prepare(site)
            async with Processes() as processes:
                yield Machine(site, processes, await _start(processes, site, tools))
        finally:
            await _until_gone(site)
            _forget(site)


async def _prepare(site: Site) -> None:
    for place in (site.logs, site.state):
        place.mkdir(parents=True)
    for root in _cgroup_roots():
        (root / site.cgroup).mkdir(exist_ok=True)
    await asyncio.to_thread(certificates.issue, site)
    settings.write(site)


async def _start(processes: Processes, site: Site, tools: Tools) -> int:
    (process,) = processes.wave([_program(site, tools)])
    await process.start()
    assert process.pid is not None  # noqa: S101 - it was started
    first = await _first_process(process.pid)
    await _plug_in(site, first)
    await process.until_ready()
    return first


async def _until_gone(site: Site) -> None:
    """Wait for the kernel, which takes the cable away after everything else of the node."""
    while Path("/sys/class/net", site.interface).exists():
        await asyncio.sleep(0.05)


def _forget(site: Site) -> None:
    """Remove what only files say; a run that was killed leaves this, and nothing else."""
    shutil.rmtree(site.state, ignore_errors=True)
    for root in _cgroup_roots():
        _remove_cgroup(root / site.cgroup)


def _program(site: Site, tools: Tools) -> Program:
    said = site.logs / "node.log"

    async def ready() -> None:
        while READY not in said.read_text().splitlines():
            await asyncio.sleep(0.1)

    return Program(
        name="node",
        command=[
            *["unshare", *_OWN, sys.executable, "-m", "lab.node"],
            *[str(site.folder), str(site.number), str(tools.kubernetes)],
        ],
        log=said,
        folder=_ROOT,
        environment={"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"},
        ready=ready,
        ready_within=180,
        stop_signal=signal.SIGKILL,  # the kernel ends all else with it, and no state is worth tidying up
    )


async def _first_process(parent: int) -> int:
    """The first process of the node as the machine numbers it: the one child of `unshare`."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    while True:
        with suppress(OSError):
            if found := children.read_text().split():
                return int(found[0])
        await asyncio.sleep(0.02)


async def _plug_in(site: Site, first: int) -> None:
    """Lay a cable to the node. It is gone, with the routes that lead over it, as soon as the node is."""
    # The peer is moved by its process, so it must have left the machine's network by now.
    while Path(f"/proc/{first}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
        await asyncio.sleep(0.02)
    await _ip("link", "add", site.interface, "type", "veth", "peer", "name", UPLINK, "netns", str(first))
    await _ip("addr", "add", f"{site.host}/30", "dev", site.interface)
    await _ip("link", "set", site.interface, "up")
    for network in (site.services, site.pods):
        await _ip("route", "add", network, "via", site.node)


def _free_number() -> int:
    for number in range(MOST):
        if not Path("/sys/class/net", Site(Path(), number).interface).exists():
            return number
    raise UpError(
        f"{MOST} clusters run on this machine already, and there are addresses for no more. "
        "Stop one of them, then start again."
    )


async def _ip(*words: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *words, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise UpError(
            f"`ip {' '.join(words)}` failed, so nobody could reach the node: {said.decode().strip()}. "
            "It takes root, and a kernel with network namespaces and veth."
        )


def _cgroup_roots() -> list[Path]:
    top = Path("/sys/fs/cgroup")
    return [top] if (top / "cgroup.controllers").exists() else [root for root in top.iterdir() if root.is_dir()]


def _remove_cgroup(group: Path) -> None:
    if group.is_dir():
        for inner in group.iterdir():
            if inner.is_dir():
                _remove_cgroup(inner)
        group.rmdir()
