"""The database servers in which a flow can keep its state; SQLite needs no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Protocol, Self

from choreography.progress import Progress
from choreography.up.mariadb import MariaDB, find_mariadb
from choreography.up.postgres import Postgres
from choreography.up.processes import Program
from choreography.up.servers import find_postgres


class Database(Protocol):
    """One server with one database and one user, its data in the run folder."""

    @property
    def name(self) -> str:
        """The name of its process and its port."""
        ...

    @property
    def dsn(self) -> str:
        """The connection string, in the form that its component takes."""
        ...

    @property
    def version(self) -> str:
        """The server and its version."""
        ...

    def prepare(self, progress: Progress) -> None:
        """Make its data folder, if it is missing."""
        ...

    def program(self, log: Path) -> Program:
        """The program that serves the data."""
        ...

    def at(self, port: int) -> Self:
        """The same server at another address, such as a proxy's."""
        ...


Installed = Callable[[Path, int, str], Database]
"""An installed server: given a folder, a port and a name, it is a database."""


def _postgres(progress: Progress) -> Installed:
    return partial(Postgres, find_postgres(progress))


def _mysql(progress: Progress) -> Installed:
    return partial(MariaDB, find_mariadb(progress))


DATABASES: Final[Mapping[str, Callable[[Progress], Installed]]] = {"postgres": _postgres, "mysql": _mysql}
"""How each server is found or obtained, by the name of its file in components/stores."""
