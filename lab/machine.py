"""A node on this machine: its namespaces, its network cable, and the cleanup after a run that was killed."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.errors import UpError
from choreography.up.places import alone
from choreography.up.processes import Processes, Program
from lab import certificates, settings, volumes
from lab.node import READY, UPLINK
from lab.site import MOST, Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lab.tools import Tools

_ROOT = Path(__file__).resolve().parents[1]
# By default a control group gets as much CPU as one process. On a busy machine that is too little for a whole node,
# whose parts then take each other for dead. The two versions of control groups name this setting differently.
_WEIGHT = {"cpu.shares": 16 * 1024, "cpu.weight": 16 * 100}
_OWN = ("--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc")


class Machine:
    """The machine of one node, and the way to run commands on the node."""

    def __init__(self, site: Site, processes: Processes, first: int) -> None:
        self.site = site
        self.processes = processes
        self._first = first

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs another command on the node."""
        return ["nsenter", "--target", str(self._first), "--mount", "--net", "--uts", "--", *command]


@asynccontextmanager
async def node(folder: Path, tools: Tools) -> AsyncIterator[Machine]:
    """Run an empty node; afterwards only its logs are left."""
    with alone(folder / "lock"):
        record = folder.resolve() / "number"
        if record.exists():
            _forget(Site(record.parent, int(record.read_text())))
        site = Site(record.parent, _free_number())
        record.write_text(str(site.number))
        shutil.rmtree(site.logs, ignore_errors=True)
        try:
            async with _running(site, tools) as machine:
                yield machine
        finally:
            _forget(site)
            record.unlink()


@asynccontextmanager
async def _running(site: Site, tools: Tools) -> AsyncIterator[Machine]:
    await _prepare(site)
    first = 0
    try:
        async with Processes() as processes:
            (process,) = processes.wave([_program(site, tools)])
            await process.start()
            assert process.pid is not None  # noqa: S101 - it was started
            first = await _first_process(process.pid)
            await _plug_in(site, first)
            await process.until_ready()
            yield Machine(site, processes, first)
    finally:
        # The first process ends last: the kernel ends all others before it.
        while _lives(first):
            await asyncio.sleep(0.02)


async def _prepare(site: Site) -> None:
    for place in (site.logs, site.state):
        place.mkdir(parents=True)
    for root in _cgroup_roots():
        _make_cgroup(root / site.cgroup)
    await asyncio.to_thread(certificates.issue, site)
    settings.write(site)
    volumes.make_folders(site)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _forget(site: Site) -> None:
    """Remove everything that outlives the last process of a node, including the rest of a run that was killed."""
    # Broken connections hold the node's network for a minute or two, and with it the other end of the cable.
    subprocess.run(["ip", "link", "delete", site.interface], capture_output=True, check=False)
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
        stop_signal=signal.SIGKILL,  # the kernel ends all else with it, and no state needs cleanup
    )


async def _first_process(parent: int) -> int:
    """Return the process id, on the machine, of the node's first process: the only child of `unshare`."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    while True:
        with suppress(OSError):
            if found := children.read_text().split():
                return int(found[0])
        await asyncio.sleep(0.02)


async def _plug_in(site: Site, first: int) -> None:
    """Connect a virtual cable to the node. The cable and the routes over it disappear with the node."""
    # The peer's process moves it, so the peer must have left the machine's network by now.
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


def _make_cgroup(group: Path) -> None:
    group.mkdir(exist_ok=True)
    for name, weight in _WEIGHT.items():
        if (group / name).exists():
            (group / name).write_text(f"{weight}")


def _remove_cgroup(group: Path) -> None:
    if group.is_dir():
        for inner in group.iterdir():
            if inner.is_dir():
                _remove_cgroup(inner)
        group.rmdir()
