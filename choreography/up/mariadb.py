"""A MariaDB server of the flow's own, in the run folder, with one database and one user; Debian's MySQL is MariaDB."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from choreography.progress import Progress
from choreography.up.errors import MissingToolError
from choreography.up.probes import mysql_ready
from choreography.up.processes import Program
from choreography.up.running_tools import ask, work
from choreography.up.servers import can_install, install

_WHY = "Without it there is no store. Mend what MariaDB says below, or use another store."
_USER = "choreography"


@dataclass(frozen=True)
class MariaDB:
    """The server: its programs, its data, and the login."""

    installer: Path
    data: Path
    port: int
    database: str
    password: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    name: str = "mysql"

    @property
    def dsn(self) -> str:
        """The connection string of the flow's store; the component puts the database's name behind the slash.

        Lock and idle limits bound how long a frozen replica can block the others.
        """
        return (
            f"{_USER}:{self.password}@tcp(127.0.0.1:{self.port})/"
            "?innodb_lock_wait_timeout=2&idle_transaction_timeout=3&allowNativePasswords=true"
        )

    @property
    def version(self) -> str:
        """The server and its version."""
        return _version()

    def at(self, port: int) -> Self:
        """The same server at another address, such as a proxy's."""
        return replace(self, port=port)

    def prepare(self, progress: Progress) -> None:
        """Create the data folder once, and set a new password before every start of the server."""
        if not (self.data / "mysql").is_dir():
            self.data.mkdir(parents=True, exist_ok=True)
            with progress.doing("preparing MariaDB") as ticker:
                command = [str(self.installer), "--no-defaults", f"--datadir={self.data}", f"--user={_account()}"]
                work([*command, "--skip-test-db", "--auth-root-authentication-method=socket"], why=_WHY, ticker=ticker)
        script = self._script
        script.touch(0o600)
        # The server reads this file at every start, before any client can connect: no password is ever on a command
        # line.
        script.write_text(
            f"CREATE USER IF NOT EXISTS '{_USER}'@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"ALTER USER '{_USER}'@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON `choreography`.* TO '{_USER}'@'127.0.0.1';\n"
            "CREATE DATABASE IF NOT EXISTS `choreography` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n"
        )

    def program(self, log: Path) -> Program:
        """The program that serves the data."""
        server = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        return Program(
            name=self.name,
            command=[
                *[server, "--no-defaults", f"--datadir={self.data}", f"--user={_account()}"],
                *["--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.data}.sock"],
                *[f"--init-file={self._script}", "--skip-name-resolve", "--max-connections=300"],
                # Both are the defaults, and the guarantee fails without them.
                *["--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1"],
            ],
            log=log,
            ready=lambda: mysql_ready(self.port),
        )

    @property
    def _script(self) -> Path:
        return self.data.with_name(f"{self.data.name}-start.sql")


def find_mariadb(progress: Progress) -> Path:
    """Find MariaDB's installer of data folders, on the PATH or in the system's packages; the server is beside it."""
    installer, how = shutil.which("mariadb-install-db"), "found"
    if installer is None and can_install():
        install(progress, "mariadb-server")
        installer, how = shutil.which("mariadb-install-db"), "installed with apt-get"
    if installer is None:
        raise MissingToolError(
            "MariaDB's server programs (mariadbd, mariadb-install-db) were not found. They are the store that was "
            "asked for, so no state could be kept. Install them (`sudo apt-get install mariadb-server`) or use the "
            "store sqlite."
        )
    progress.done(f"{_version()} {how}")
    return Path(installer)


def _account() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _version() -> str:
    told = ask(["mariadbd", "--version"]) or ask(["/usr/sbin/mariadbd", "--version"]) or ""
    found = re.search(r"(\d+\.\d+\.\d+)", told)
    return f"MariaDB {found.group(1)}" if found else "MariaDB"
