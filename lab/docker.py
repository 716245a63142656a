"""An engine that makes images, separate from any other on this machine; it ends with this process."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

from choreography.up.probes import succeeds
from choreography.up.processes import Program
from choreography.up.running_tools import work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choreography.progress import Ticker
    from lab.site import Site

# As on the node, the kernel ends its processes and mounts together with the first process.
_OWN = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_WHY = "Without its images nothing can run in the cluster."


class Docker:
    """The engine of one site, and its client."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.host = f"unix://{site.folder / 'docker.sock'}"

    def program(self) -> Program:
        """Return the engine's program; earlier images are kept, so a second build is short."""
        site, folder = self._site, self._site.folder / "docker"
        return Program(
            name="dockerd",
            command=[
                *["unshare", *_OWN, "dockerd", "--host", self.host],
                *["--data-root", str(folder), "--exec-root", str(site.state / "docker")],
                *["--pidfile", str(site.state / "docker.pid"), "--cgroup-parent", f"/{site.cgroup}"],
                # Its containers need no other network, and this engine must not change the machine's firewall rules.
                *[
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-forward=false",
                    "--oom-score-adjust=0",
                ],
                *["--insecure-registry", site.registry],
            ],
            log=site.logs / "dockerd.log",
            ready=succeeds(["docker", "--host", self.host, "info"]),
            stop_signal=signal.SIGKILL,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point docker's client to this engine; BuildKit is not in Debian's packages."""
        return {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"}

    def has(self, name: str) -> bool:
        """Tell whether the engine has an image."""
        return not subprocess.run(
            ["docker", "image", "inspect", name],
            env={**os.environ, **self.environment},
            capture_output=True,
            check=False,
        ).returncode

    def do(self, command: Sequence[str], ticker: Ticker) -> str:
        """Run a command of the engine."""
        return work(["docker", *command], why=_WHY, ticker=ticker, environment=self.environment)
