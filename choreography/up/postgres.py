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
    """The server: its programs, its data, and the login."""

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
        """The same server at another address, such as a proxy's."""
        return replace(self, port=port)

    def program(self, log: Path) -> Program:
        """The program that serves the data."""
        return Program(
            name=self.name,
            command=self.command(),
            log=log,
            ready=succeeds(self.ready_command()),
            stop_signal=signal.SIGINT,  # SIGTERM would wait until the last client disconnects
            starts=8,  # after a kill -9 it refuses to start until the last old process has ended
        )

    @property
    def dsn(self) -> str:
        """The connection string of the flow's store.

        Lock and idle limits bound how long a frozen replica can block the others. Without sequential and bitmap scans
        the planner uses the index for keys even while the statistics of a growing table are still those of an empty
        one.
        """
        return (
            f"host=127.0.0.1 port={self.port} user={self.database} password={self.password} "
            f"dbname={self.database} lock_timeout=2000 idle_in_transaction_session_timeout=3000 "
            "enable_seqscan=off enable_bitmapscan=off"
        )

    def url_of(self, role: str, port: int = 0) -> str:
        """The address of the database for one role, by its own port or by another address."""
        return f"postgresql://{role}:{self._password_of(role)}@127.0.0.1:{port or self.port}/{self.database}"

    def _password_of(self, role: str) -> str:
        if role == self.database:
            return self.password
        return hashlib.sha256(f"{self.password}/{role}".encode()).hexdigest()[:48]

    def command(self) -> list[str]:
        """The server's command; fsync stays on, because a guarantee needs durable data."""
        # The pools of many sidecars must fit. No Unix socket: its path may be longer than the kernel allows.
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
        """Create the data folder once, and set a new password before every start of the server."""
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
                # Otherwise PostgreSQL 16 and later forbids the owner to change a role that it has not made.
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
    """Run PostgreSQL as its own system user, because it refuses to run as root.

    It keeps only the privilege to pass through folders of root, because run folders lie in the user's folders, and
    drops the others.
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
        *["--pdeathsig", "KILL"],  # the change of user cleared the signal that we had set
    ]
