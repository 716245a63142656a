"""Finds Dapr's programs, or builds them from Go modules where `dapr init` was never run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.go_modules import GoProject, executable, module_folder, obtain
from choreography.up.places import dapr_home
from choreography.up.running_tools import ask

if TYPE_CHECKING:
    from choreography.progress import Progress

OLDEST = (1, 18, 0)
BUILT = "1.18.2"  # the newest whose modules are all available; a newer daprd on the PATH wins
CONTROL_PLANE = ("operator", "placement", "sentry", "injector", "scheduler")
_MODULE = "github.com/dapr/dapr"
_WHY = (
    "Without Dapr's sidecar no service can reach a broker or a store. Run `dapr init --slim`, or "
    "install Go 1.21 or newer so that Dapr can be built from its modules, then start again."
)
_PROJECT = GoProject(
    name="dapr",
    version=BUILT,
    source=_MODULE,
    packages="./cmd/{}",
    flags=(
        *("-tags", "allcomponents"),  # without a tag daprd panics when it starts
        *("-ldflags", f"-s -w -X {_MODULE}/pkg/buildinfo.version={BUILT}"),
    ),
    why=_WHY,
    takes="6 minutes",
    asked="daprd 1.18 or newer",
)


def parse_version(text: str) -> tuple[int, ...] | None:
    """Read a release number; a development build ("edge") has none, so it does not count as new enough."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else None


def find_or_build(progress: Progress) -> tuple[Path, Path]:
    """Return daprd and the scheduler."""
    for folder in _folders():
        version = parse_version(ask([str(folder / "daprd"), "--version"]) or "")
        if version is not None and version >= OLDEST:
            progress.done(f"daprd {'.'.join(map(str, version))} found in {folder}")
            # The scheduler does not report its version; if it lies beside daprd, it came with the same installation.
            scheduler = folder / "scheduler"
            if executable(scheduler):
                return folder / "daprd", scheduler
            return folder / "daprd", obtain(progress, _PROJECT, ["scheduler"]) / "scheduler"
    built = obtain(progress, _PROJECT, ["daprd", "scheduler"])
    return built / "daprd", built / "scheduler"


def for_a_cluster(progress: Progress) -> Path:
    """Return the folder of the programs for a cluster: the control plane, and the sidecar that it injects."""
    return obtain(progress, _PROJECT, ["daprd", *CONTROL_PLANE])


def chart(progress: Progress) -> Path:
    """Return the folder of Dapr's own Helm chart."""
    return module_folder(progress, _MODULE, BUILT, _WHY) / "charts" / "dapr"


def _folders() -> list[Path]:
    on_path = shutil.which("daprd")
    return [*([Path(on_path).resolve().parent] if on_path else []), dapr_home()]
