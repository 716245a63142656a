"""The servers of a flow besides its broker: where their programs come from, and how each is started."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.errors import MissingToolError
from choreography.up.places import cache, only_one
from choreography.up.running_tools import ask, work

if TYPE_CHECKING:
    from choreography.progress import Progress

_ZIPKIN = "3.5.1"
_POSTGRES_BINARIES = "/usr/lib/postgresql"  # Debian keeps server programs of each version off the PATH


@dataclass(frozen=True)
class Zipkin:
    """Starts Zipkin."""

    java: str
    jar: Path

    def command(self, port: int) -> list[str]:
        """The command that serves traces on `port`, on this machine only, in little memory."""
        listen = "--armeria.ports[0]"
        # Measured: the first compiler and the simple collector halve the CPU time of the start, which competes with the
        # flow.
        lean = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        # No order waits for its trace, so Zipkin runs at a lower priority than the services.
        return [
            *["nice", "-n", "10", self.java, *lean, "-jar", str(self.jar)],
            *[f"{listen}.port={port}", f"{listen}.ip=127.0.0.1", f"{listen}.protocols[0]=http"],
        ]


def find_postgres(progress: Progress) -> Path:
    """The folder with initdb and postgres, from the PATH or the system's packages."""
    folder = _postgres_folder()
    how = f"found in {folder}"
    if folder is None and can_install():
        install(progress, "postgresql")
        folder, how = _postgres_folder(), "installed with apt-get"
    if folder is None:
        raise MissingToolError(
            "PostgreSQL's server programs (initdb, postgres) were not found. They are the store that was "
            "asked for, so no state could be kept. Install them (`sudo apt-get install postgresql`) or "
            "use the store sqlite."
        )
    progress.done(f"{(ask([str(folder / 'postgres'), '--version']) or 'postgres').strip()} {how}")
    return folder


def find_zipkin(progress: Progress) -> Zipkin:
    """The Zipkin jar from the cache, else from Maven."""
    why = "Without Zipkin everything works but no trace can be looked at."
    java = shutil.which("java")
    if java is None or ask([java, "-version"]) is None:
        raise MissingToolError(
            f"`java` was not found or does not run. {why} Install a Java 17 runtime, or start with --no-zipkin."
        )
    jar = cache() / f"zipkin-{_ZIPKIN}" / f"zipkin-server-{_ZIPKIN}-exec.jar"
    if not jar.exists():
        with only_one(
            cache() / "zipkin.lock",
            lambda: progress.note("another run is obtaining Zipkin already; waiting for it"),
        ):
            if not jar.exists():
                _download_zipkin(progress, jar, why)
                progress.done(f"Zipkin {_ZIPKIN} downloaded with Maven; kept in {jar.parent}")
                return Zipkin(java, jar)
    progress.done(f"Zipkin {_ZIPKIN} found in {jar.parent}")
    return Zipkin(java, jar)


def _download_zipkin(progress: Progress, jar: Path, why: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingToolError(
            f"`mvn` was not found, and Zipkin's jar is not in {jar.parent}. {why} "
            "Install Maven, put the jar there, or start with --no-zipkin."
        )
    jar.parent.mkdir(parents=True, exist_ok=True)
    with (
        progress.doing(f"downloading Zipkin {_ZIPKIN} with Maven, once (130 MB)") as ticker,
        tempfile.TemporaryDirectory(dir=cache()) as scratch,
    ):
        work(
            [
                *[maven, "-B", "-q", "dependency:copy", f"-DoutputDirectory={scratch}"],
                f"-Dartifact=io.zipkin:zipkin-server:{_ZIPKIN}:jar:exec",
            ],
            why=f"{why} Check Maven's settings, or start with --no-zipkin.",
            ticker=ticker,
            folder=Path(scratch),
        )
        (Path(scratch) / jar.name).replace(jar)


def _postgres_folder() -> Path | None:
    on_path = shutil.which("postgres")
    installed = sorted(Path(_POSTGRES_BINARIES).glob("*/bin"), key=_release, reverse=True)
    # The PATH may hold a single link; the programs that belong together are beside its target.
    folders = [*([Path(on_path).resolve().parent] if on_path else []), *installed]
    needed = ("initdb", "postgres", "pg_isready")
    return next((folder for folder in folders if all((folder / name).exists() for name in needed)), None)


def _release(folder: Path) -> float:
    return float(folder.parent.name)


def can_install() -> bool:
    """Tell whether this process may install packages on the machine."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(progress: Progress, package: str) -> None:
    """Install a Debian package without starting its service: the flow starts its own, on its own port."""
    why = f"{package} is needed by this flow. Install it by hand, then start again."
    # RUNLEVEL=1 keeps Debian's maintainer scripts from starting a service.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", package]
    with progress.doing(f"installing {package} with apt-get") as ticker:
        try:
            work(command, why=why, ticker=ticker, environment=quiet)
        except MissingToolError:
            # On a fresh machine the package lists are missing; on an old one they name files that no longer exist.
            work(["apt-get", "update"], why=why, ticker=ticker, environment=quiet)
            work(command, why=why, ticker=ticker, environment=quiet)
