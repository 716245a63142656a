"""A PostgreSQL server for tests, and a pooler before it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from choreography.progress import Progress
from choreography.up import probes
from choreography.up.ports import Ports
from choreography.up.postgres import Postgres
from choreography.up.processes import Process, Processes, Program
from choreography.up.servers import can_install, find_postgres, install


@asynccontextmanager
async def postgres_server(folder: Path, *roles: str, owner: str = "checkout") -> AsyncIterator[Postgres]:
    """Run PostgreSQL with an owner, whose database has the same name, and the roles of services."""
    ports = Ports(folder / "ports.json")
    programs = find_postgres(Progress.silent())
    database = Postgres(programs, folder / "data", ports.of("postgres"), owner, roles=roles)
    database.prepare(Progress.silent())
    async with Processes() as processes:
        (process,) = processes.wave([database.program(folder / "postgres.log")])
        await process.start()
        await process.until_ready()
        yield database


@asynccontextmanager
async def pooler(server: Postgres, role: str, folder: Path) -> AsyncIterator[int]:
    """Run pgbouncer in transaction mode before a server, with two connections for everybody; yield its port."""
    program = _program()
    if program is None and can_install():
        install(Progress.silent(), "pgbouncer")
        program = _program()
    if program is None:
        pytest.skip("pgbouncer is not installed, and this machine installs no packages")
    port = Ports(folder / "ports.json").of("pgbouncer")
    password = server.url_of(role).split(":")[2].split("@")[0]
    (folder / "users").write_text(f'"{role}" "{password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {folder / 'users'}\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n"
    )
    for path in (folder, folder / "users", folder / "pgbouncer.ini", *folder.parents[:2]):
        path.chmod(0o755)
    command = ["setpriv", "--reuid", "nobody", "--clear-groups", program, str(folder / "pgbouncer.ini")]
    log = folder / "pgbouncer.log"
    async with Processes() as processes:
        process: Process
        (process,) = processes.wave(
            [Program(name="pgbouncer", command=command, log=log, ready=lambda: probes.listening(port))]
        )
        await process.start()
        await process.until_ready()
        yield port


def _program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
