"""A PostgreSQL server of the flow's own, in the run folder, with one database and one role."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from choreography.up.errors import MissingToolError
from choreography.up.probes import succeeds
from choreography.up.processes import Program
from choreography.up.running_tools import ask, work

if TYPE_CHECKING:
    from pathlib import Path

    from choreography.progress import Progress

_SYSTEM_USER = "postgres"


@dataclass(frozen=True)
class Postgres:
    """The server: where its programs and its data are, and who may log in."""

    programs: Path
    data: Path
    port: int
    database: str
    password: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    name: str = "postgres"
    roles: tuple[str, ...] = ()
    """Besides the owner of the database, those that services log in as."""

    @property
    def version(self) -> str:
        """The server and its version."""
        return (
            (ask([str(self.programs / "postgres"), "--version"]) or "")
            .partition(" (Debian")[0]
            .replace("postgres (PostgreSQL)", "PostgreSQL")
            .strip()
        )

    def at(self, port: int) -> Self:
        """The same server by another way, such as a proxy."""
        return replace(self, port=port)

    def program(self, log: Path) -> Program:
        """The program that serves the data."""
        return Program(
            name=self.name,
            command=self.command(),
            log=log,
            ready=succeeds(self.ready_command()),
            stop_signal=signal.SIGINT,  # SIGTERM would wait until the last client has gone by itself
            starts=8,  # after a kill -9 it refuses until the last process of its predecessor has noticed
        )

    @property
    def dsn(self) -> str:
        """The connection string of the flow's store.

        Lock and idle limits bound how long a frozen replica can hold up the others. Without sequential and bitmap
        scans the planner looks keys up also while the statistics of a growing table are those of an empty one.
        """
        return (
            f"host=127.0.0.1 port={self.port} user={self.database} password={self.password} "
            f"dbname={self.database} lock_timeout=2000 idle_in_transaction_session_timeout=3000 "
            "enable_seqscan=off enable_bitmapscan=off"
        )

    def url_of(self, role: str, port: int = 0) -> str:
        """The address of the database for one role, by its own port or another way."""
        return f"postgresql://{role}:{self._password_of(role)}@127.0.0.1:{port or self.port}/{self.database}"

    def _password_of(self, role: str) -> str:
        if role == self.database:
            return self.password
        return hashlib.sha256(f"{self.password}/{role}".encode()).hexdigest()[:48]

    def command(self) -> list[str]:
        """The command that serves the data; fsync stays on, as a guarantee over volatile data is none."""
        # The pools of many sidecars must fit. No Unix socket: its path may be longer than one may be.
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=300",
        ]
        flags = [word for setting in settings for word in ("-c", setting)]
        return [*_not_as_root(), str(self.programs / "postgres"), "-D", str(self.data), *flags]

    def ready_command(self) -> list[str]:
        """The command that succeeds once the server accepts logins."""
        return [str(self.programs / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(self.port)]

    def prepare(self, progress: Progress) -> None:
        """Create the data folder once, and set a new password every time, before the server is started."""
        why = "Without it there is no store. Mend what PostgreSQL says below, or use the store sqlite."
        with progress.doing("preparing PostgreSQL") as ticker:
            if not (self.data / "PG_VERSION").exists():
                self.data.mkdir(parents=True, exist_ok=True)
                if os.geteuid() == 0:
                    shutil.chown(self.data, _SYSTEM_USER, _SYSTEM_USER)
                initdb = [
                    str(self.programs / "initdb"),
                    "-D",
                    str(self.data),
                    "--encoding=UTF8",
                    "--locale=C",
                ]
                work(
                    [
                        *_not_as_root(),
                        *initdb,
                        "--auth=scram-sha-256",
                        "--auth-local=reject",
                        "--username=owner",
                    ],
                    why=why,
                    ticker=ticker,
                )
            # Single-user mode needs no superuser password to exist anywhere. It reads one statement per
            # line and only reports an error, so creating what is there already is harmless.
            statements = [
                f'CREATE ROLE "{self.database}" LOGIN CREATEROLE',
                *(f'CREATE ROLE "{role}" LOGIN' for role in self.roles),
                # Else PostgreSQL from 16 on does not let the owner set anything for a role that it has not made.
                *(f'GRANT "{role}" TO "{self.database}" WITH ADMIN OPTION' for role in self.roles),
                *(
                    f"ALTER ROLE \"{role}\" PASSWORD '{self._password_of(role)}'"
                    for role in (self.database, *self.roles)
                ),
                f'CREATE DATABASE "{self.database}" OWNER "{self.database}"',
            ]
            single = [str(self.programs / "postgres"), "--single", "-D", str(self.data), "postgres"]
            work([*_not_as_root(), *single], why=why, ticker=ticker, given="\n".join(statements) + "\n")


def _not_as_root() -> list[str]:
    """Run PostgreSQL as its own system user, since it refuses to be root.

    It keeps the one privilege to pass through folders of root, because run folders lie where the user works,
    and gives up the others.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise MissingToolError(
            "`setpriv` was not found, and PostgreSQL refuses to run as root. Install util-linux, or run "
            "this command as an ordinary user."
        )
    only = "-all,+dac_override"
    return [
        *[setpriv, "--reuid", _SYSTEM_USER, "--regid", _SYSTEM_USER, "--clear-groups", "--no-new-privs"],
        *["--inh-caps", only, "--ambient-caps", only, "--bounding-set", only],
        *["--pdeathsig", "KILL"],  # changing the user made the kernel forget the one we had set
    ]
