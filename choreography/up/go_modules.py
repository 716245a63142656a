"""Builds programs from their Go modules, once, if they are not installed.

A module's own go.mod and go.sum pin every dependency, and Go verifies them, so a build needs no file of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.errors import MissingToolError
from choreography.up.places import cache, only_one
from choreography.up.running_tools import work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choreography.progress import Progress, Ticker

# The user's settings for other projects must not change how Go reads a module's own go.mod.
_CLEAN = {"GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}


@dataclass(frozen=True)
class GoProject:
    """The programs of one module: `source` is its path, or a folder whose go.mod requires it if it needs that."""

    name: str
    version: str
    source: str | Path
    packages: str
    """Where a program's main package is; `{}` stands for the program."""
    why: str
    """Completes the sentence that it cannot be had: what cannot happen without it, and what a person can do."""
    flags: tuple[str, ...] = ()
    takes: str = "a minute or two"
    asked: str = ""
    """What would have been used instead, where something would."""


def obtain(progress: Progress, project: GoProject, programs: Sequence[str]) -> Path:
    """Return the folder with these programs, after building the missing ones."""
    folder = cache() / f"{project.name}-{project.version}"
    if not all(executable(folder / name) for name in programs):
        with only_one(
            cache() / f"{project.name}.lock",
            lambda: progress.note(f"another run is obtaining {project.name} already; waiting for it"),
        ):
            missing = [name for name in programs if not executable(folder / name)]
            if missing:
                _build(progress, project, folder, missing)
                progress.done(f"{_listed(programs)} {project.version} built from Go modules; kept in {folder}")
                return folder
    progress.done(f"{_listed(programs)} {project.version} found in {folder}")
    return folder


def executable(program: Path) -> bool:
    """Tell whether a program exists."""
    return program.is_file() and os.access(program, os.X_OK)


def module_folder(progress: Progress, module: str, version: str, why: str) -> Path:
    """Download a module, and return the folder in which Go keeps its files."""
    with progress.doing(f"looking for the Go module {module} {version}") as ticker:
        return _download(_go(why), module, version, why, ticker)


def _build(progress: Progress, project: GoProject, folder: Path, programs: Sequence[str]) -> None:
    go = _go(project.why, project.asked)
    folder.mkdir(parents=True, exist_ok=True)
    what = f"building {_listed(programs)} {project.version} from Go modules, once ({project.takes} on two cores)"
    with progress.doing(what) as ticker, tempfile.TemporaryDirectory(dir=cache()) as scratch:
        source = project.source
        if isinstance(source, str):
            source = _download(go, source, project.version, project.why, ticker)
        work(
            [
                *[go, "build", "-v", "-trimpath", *project.flags, "-o", scratch + os.sep],
                *(project.packages.format(name) for name in programs),
            ],
            why=project.why,
            ticker=ticker,
            folder=source,
            environment=_CLEAN,
        )
        for name in programs:
            # A rename is atomic, so an interrupted build leaves no incomplete program behind.
            (Path(scratch) / name).replace(folder / name)


def _download(go: str, module: str, version: str, why: str, ticker: Ticker) -> Path:
    with tempfile.TemporaryDirectory(dir=cache()) as elsewhere:  # outside of any module that would change the build
        told = work(
            [go, "mod", "download", "-json", f"{module}@v{version}"],
            why=why,
            ticker=ticker,
            folder=Path(elsewhere),
            environment=_CLEAN,
        )
    return Path(json.loads(told[told.index("{") : told.rindex("}") + 1])["Dir"])


def _go(why: str, asked: str = "") -> str:
    go = shutil.which("go")
    if go is None:
        missing = f"Neither {asked} nor `go` was found." if asked else "`go` was not found."
        raise MissingToolError(f"{missing} {why}")
    return go


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
