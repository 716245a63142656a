"""The first process of the node: it makes the node's own file system and network, and runs its programs in them.

It is started in its own namespaces, like the first process in kind's container. However it ends, the kernel then ends
everything on the node: processes, mounts, interfaces and rules. Nothing can be left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from choreography.up.processes import Processes
from lab.programs import Programs
from lab.site import NODE_NAME, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

UPLINK = "uplink"
# Kernel settings that the kubelet needs. They belong to the machine, so the node shows these values and changes none.
TUNED = {
    "vm.overcommit_memory": 1,
    "vm.panic_on_oom": 0,
    "kernel.panic": 10,
    "kernel.panic_on_oops": 1,
    "kernel.keys.root_maxkeys": 1_000_000,
    "kernel.keys.root_maxbytes": 25_000_000,
}
READY = "every program of the node is ready"


def main() -> None:
    """Run the node until it is killed, or until one of its programs dies: without that program the node is useless."""
    site, kubernetes = Site(Path(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[3])
    _make_file_system(site)
    asyncio.run(_run(site, kubernetes))


def _make_file_system(site: Site) -> None:
    """Map the fixed paths of programs into the folder of the site, visible only on the node."""
    _do("mount", "--make-rshared", "/")
    _do("mount", "-t", "tmpfs", "tmpfs", "/run")
    for place in ("/var/lib/cni", "/var/log/containers"):
        inside = site.state / "places" / place.lstrip("/")
        inside.mkdir(parents=True)
        Path(place).mkdir(parents=True, exist_ok=True)
        _do("mount", "--bind", str(inside), place)
    for name in ("hosts", "resolv.conf"):
        _do("mount", "--bind", str(site.state / name), f"/etc/{name}")
    for name, wanted in TUNED.items():
        shown = site.state / name
        shown.write_text(f"{wanted}\n")
        _do("mount", "--bind", str(shown), str(setting(name)))
    socket.sethostname(NODE_NAME)


def setting(name: str) -> Path:
    """Return the path of a kernel setting."""
    return Path("/proc/sys", *name.split("."))


async def _run(site: Site, kubernetes: Path) -> NoReturn:
    reaping = asyncio.create_task(_reap())
    await _make_network(site)
    processes = Processes()
    starting = asyncio.create_task(_start(processes, Programs(site, kubernetes)))
    died = asyncio.create_task(processes.until_death())
    await asyncio.wait({died, starting}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        await starting
        print(READY, flush=True)  # noqa: T201 - the parent process reads it
    death = await died
    reaping.cancel()
    raise death


async def _start(processes: Processes, programs: Programs) -> None:
    for wave in programs.waves():
        started = processes.wave(wave)
        for process in started:
            await process.start()
        await asyncio.gather(*(process.until_ready() for process in started))


async def _make_network(site: Site) -> None:
    _do("ip", "link", "set", "lo", "up")
    while UPLINK not in (name for _, name in socket.if_nameindex()):
        await asyncio.sleep(0.05)  # until the parent process has connected the cable
    _do("ip", "addr", "add", f"{site.node}/30", "dev", UPLINK)
    _do("ip", "link", "set", UPLINK, "up")
    _do("ip", "route", "add", "default", "via", site.host)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


async def _reap() -> None:
    """Reap orphans: the child of a dead process becomes a child of the first process."""
    dead: set[int] = set()
    while True:
        await asyncio.sleep(1)
        # The waiting coroutine reaps a child of our own at once; a child that stays dead for longer is an orphan.
        still_dead = set(_zombies())
        for pid in dead & still_dead:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        dead = still_dead


def _zombies() -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name before the state may contain anything, parentheses too.
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and parent == "1":
                yield int(stat.parent.name)


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
