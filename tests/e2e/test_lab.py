"""Our own cluster leaves nothing behind, however it ends, and changes nothing about the machine."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from choreography.progress import Progress
from lab import kind
from lab.machine import node
from lab.node import TUNED, setting
from lab.site import MOST, Site
from lab.tools import prepare
from tests.e2e.checkout import until

pytestmark = pytest.mark.skipif(kind.answers(), reason="kind makes the cluster here, and looks after what it leaves")

CODE = """
import asyncio, sys
from pathlib import Path
from choreography.progress import Progress
from lab.machine import node
from lab.node import TUNED, setting
from lab.tools import prepare

async def run():
    async with node(Path(sys.argv[1]), prepare(Progress.silent())) as machine:
        print(machine.site.number, flush=True)
        await asyncio.Event().wait()

asyncio.run(run())
"""


async def test_a_node_whose_owner_is_killed_ends_with_it_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    """The kernel ends its processes; the next start removes its files."""
    owner = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", CODE, str(tmp_path)], stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    killed = Site(tmp_path, int(await owner.stdout.readline()))
    assert len(processes_of(tmp_path)) > 5
    owner.send_signal(signal.SIGKILL)
    await owner.wait()
    await until(lambda: asyncio.to_thread(processes_of, tmp_path), lambda left: not left, within=10)

    before = kernel_settings()
    async with node(tmp_path, prepare(Progress.silent())) as machine:
        assert machine.site.number in range(MOST)
        if machine.site.number != killed.number:
            assert traces_of(killed) == []
        assert traces_of(machine.site) != []
        assert await until(
            lambda: asyncio.to_thread(kubelet_said, machine.site), lambda said: "Started kubelet" in said
        )
    assert kernel_settings() == before
    assert processes_of(tmp_path) == []
    assert traces_of(machine.site) == []
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "logs"}
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def kernel_settings() -> dict[str, str]:
    """Return the kernel settings that a kubelet, or a router, would change."""
    return {name: setting(name).read_text() for name in (*TUNED, "net.ipv4.ip_forward")}


def kubelet_said(site: Site) -> str:
    """The log of the kubelet."""
    return (site.logs / "kubelet.log").read_text()


def processes_of(folder: Path) -> list[str]:
    """Return every process with this folder in its command line, without this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"{folder}/" in words or f"lab.node {folder}" in words:
            found.append(words)
    return found


def traces_of(site: Site) -> list[Path]:
    """The cable and the control groups of a node."""
    places = [Path("/sys/class/net", site.interface), *Path("/sys/fs/cgroup").glob(f"**/{site.cgroup}")]
    return [place for place in places if place.exists()]
