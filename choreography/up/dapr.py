"""Finds Dapr's two programs, or builds them from Go modules where `dapr init` was never run.

Dapr's own go.mod and go.sum pin every dependency, and Go verifies them, so a build needs no file of ours.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.commands import ask, work
from choreography.up.errors import MissingToolError
from choreography.up.places import cache, dapr_home, only_one

if TYPE_CHECKING:
    from choreography.up.progress import Progress

OLDEST = (1, 18, 0)
BUILT = "1.18.2"  # the newest whose modules can all be had; a newer daprd on the PATH wins
_MODULE = "github.com/dapr/dapr"


def parse_version(text: str) -> tuple[int, ...] | None:
    """Read a release number; a development build ("edge") has none and is not trusted to be new enough."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else None


def find_or_build(progress: Progress) -> tuple[Path, Path]:
    """Return daprd and the scheduler."""
    for folder in _folders():
        version = parse_version(ask([str(folder / "daprd"), "--version"]) or "")
        if version is not None and version >= OLDEST:
            progress.done(f"daprd {'.'.join(map(str, version))} found in {folder}")
            # The scheduler cannot be asked for its version; beside daprd it came with the same installation.
            scheduler = folder / "scheduler"
            if _executable(scheduler):
                return folder / "daprd", scheduler
            return folder / "daprd", _cached(progress, ["scheduler"]) / "scheduler"
    built = _cached(progress, ["daprd", "scheduler"])
    return built / "daprd", built / "scheduler"


def _folders() -> list[Path]:
    on_path = shutil.which("daprd")
    return [*([Path(on_path).resolve().parent] if on_path else []), dapr_home()]


def _executable(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)


def _cached(progress: Progress, programs: list[str]) -> Path:
    folder = cache() / f"dapr-{BUILT}"
    names = " and ".join(programs)
    if not all(_executable(folder / name) for name in programs):
        with only_one(
            cache() / "dapr.lock",
            lambda: progress.note("another run is obtaining Dapr already; waiting for it"),
        ):
            missing = [name for name in programs if not _executable(folder / name)]
            if missing:
                _build(progress, folder, missing)
                progress.done(f"{names} {BUILT} built from Go modules; kept in {folder}")
                return folder
    progress.done(f"{names} {BUILT} found in {folder}")
    return folder


def _build(progress: Progress, folder: Path, programs: list[str]) -> None:
    why = (
        "Without Dapr's sidecar no service can reach a broker or a store. Run `dapr init --slim`, or "
        "install Go 1.21 or newer so that Dapr can be built from its modules, then start again."
    )
    go = shutil.which("go")
    if go is None:
        raise MissingToolError(f"Neither daprd 1.18 or newer nor `go` was found. {why}")
    folder.mkdir(parents=True, exist_ok=True)
    # Whatever the user set for other projects must not change how Dapr's own go.mod is read.
    clean = {"GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}
    with (
        progress.doing(
            f"building {' and '.join(programs)} {BUILT} from Go modules, once (6 minutes on two cores)"
        ) as ticker,
        tempfile.TemporaryDirectory(dir=cache()) as scratch,
    ):
        told = work(
            [go, "mod", "download", "-json", f"{_MODULE}@v{BUILT}"],
            why=why,
            ticker=ticker,
            folder=Path(scratch),
            environment=clean,
        )
        source = Path(json.loads(told[told.index("{") : told.rindex("}") + 1])["Dir"])
        work(
            [
                *[go, "build", "-v", "-tags", "allcomponents"],  # without a tag daprd panics when it starts
                *["-ldflags", f"-s -w -X {_MODULE}/pkg/buildinfo.version={BUILT}"],
                *["-o", scratch + os.sep, *(f"./cmd/{name}" for name in programs)],
            ],
            why=why,
            ticker=ticker,
            folder=source,
            environment=clean,
        )
        for name in programs:
            # A rename is all or nothing: a build that is interrupted leaves no half program behind.
            (Path(scratch) / name).replace(folder / name)
