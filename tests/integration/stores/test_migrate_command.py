"""`choreography migrate` as a cluster's job runs it: URLs from files, and a server that may start later."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from choreography.errors import ChoreographyError, SelfCheckError
from choreography.progress import Progress
from choreography.stores.address import DatabaseAddress
from choreography.stores.command import MigrateRequest, run
from choreography.stores.postgres import PostgresStore
from choreography.up.ports import Ports
from choreography.up.postgres import Postgres
from choreography.up.processes import Process, Processes
from choreography.up.servers import find_postgres


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Postgres:
    """A server with an owner and nothing else, not started yet."""
    folder = tmp_path_factory.mktemp("postgres")
    port = Ports(folder / "ports.json").of("postgres")
    server = Postgres(find_postgres(Progress.silent()), folder / "data", port, "checkout")
    server.prepare(Progress.silent())
    _encrypt(server.data)
    return server


def _encrypt(data: Path) -> None:
    """Let a server use TLS, with a certificate for localhost that only this test trusts."""
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = ["-keyout", str(data / "server.key"), "-out", str(data / "server.crt")]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True)
    for file in (data / "server.key", data / "server.crt"):
        file.chmod(0o600)
        os.chown(file, data.stat().st_uid, data.stat().st_gid)
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("ssl = on\n")


@pytest.fixture(scope="module")
async def process(database: Postgres) -> AsyncIterator[Process]:
    """The process of the server, for a test to start."""
    async with Processes() as processes:
        (one,) = processes.wave([database.program(database.data.parent / "postgres.log")])
        yield one


def asked(database: Postgres, logins: Path, patience: float = 0.0) -> MigrateRequest:
    """The arguments of a cluster's job."""
    return MigrateRequest(
        "apps.checkout",
        database=database.url_of("checkout"),
        services=("order",),
        login_file=str(logins / "{service}"),
        make_roles=True,
        patience=patience,
    )


def url_of(database: Postgres, role: str, password: str) -> str:
    """The URL that a service logs in with."""
    return f"postgresql://{role}:{password}@127.0.0.1:{database.port}/{database.database}"


async def test_it_waits_for_a_server_that_starts_and_makes_a_role_that_can_work(
    database: Postgres, process: Process, tmp_path: Path
) -> None:
    """Servers and flow are installed together; without `--within` a missing server is an error at once."""
    out = io.StringIO()
    url = url_of(database, "team_order", "first")
    (tmp_path / "order").write_text(url)
    with pytest.raises(ChoreographyError, match="The tables of order could not be made"):
        await asyncio.to_thread(run, asked(database, tmp_path), Console(file=out))
    migrating = asyncio.create_task(asyncio.to_thread(run, asked(database, tmp_path, 60), Console(file=out, width=200)))
    await asyncio.sleep(1)
    assert not migrating.done()
    await process.start()
    await process.until_ready()
    assert await migrating == 0
    assert "waiting for the database" in out.getvalue()
    store = PostgresStore(DatabaseAddress.read(url, "checkout_order"), "order")
    await store.check()
    await store.close()


async def test_a_password_that_was_changed_in_the_secret_is_that_of_the_role(
    database: Postgres, process: Process, tmp_path: Path
) -> None:
    """The next release sets the new password, and the old password stops working."""
    await process.start()
    await process.until_ready()
    for password in ("first", "second"):
        (tmp_path / "order").write_text(url_of(database, "team_order", password))
        await asyncio.to_thread(run, asked(database, tmp_path), Console(file=io.StringIO()))
    connection = await asyncpg.connect(url_of(database, "team_order", "second"))
    assert await connection.fetch("select * from checkout_order.orders") == []
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url_of(database, "team_order", "first"))


async def test_a_role_that_may_not_is_told_at_once_however_patient_the_job_is(
    database: Postgres, process: Process, tmp_path: Path
) -> None:
    """Waiting would not mend it, and a release would hang instead of failing."""
    await process.start()
    await process.until_ready()
    (tmp_path / "order").write_text(url_of(database, "team_order", "first"))
    await asyncio.to_thread(run, asked(database, tmp_path), Console(file=io.StringIO()))
    (tmp_path / "stranger").write_text(url_of(database, "team_order", "first"))
    wrong = MigrateRequest(
        "apps.checkout", database_file=str(tmp_path / "stranger"), services=("billing",), role="x", patience=60
    )
    async with asyncio.timeout(20):
        with pytest.raises(ChoreographyError, match="permission denied"):
            await asyncio.to_thread(run, wrong, Console(file=io.StringIO()))


async def test_a_database_is_believed_by_its_certificate_and_by_the_name_in_it(
    database: Postgres, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chart sets libpq's variables for it; waiting for another certificate would be in vain."""
    await process.start()
    await process.until_ready()
    (tmp_path / "order").write_text(url_of(database, "team_order", "first"))
    await asyncio.to_thread(run, asked(database, tmp_path), Console(file=io.StringIO()))
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    by_number = url_of(database, "team_order", "first")
    by_name = by_number.replace("127.0.0.1", "localhost")
    for url, authority, told in (
        (by_name, "/etc/ssl/certs/ca-certificates.crt", "does not pass: self-signed certificate"),
        (by_number, str(database.data / "server.crt"), "does not pass: IP address mismatch"),
        (by_name, str(database.data / "server.crt"), ""),
    ):
        monkeypatch.setenv("PGSSLROOTCERT", authority)
        store = PostgresStore(DatabaseAddress.read(url, "checkout_order"), "order")
        async with asyncio.timeout(20):
            if told:
                with pytest.raises(SelfCheckError, match=told):
                    await store.check()
            else:
                await store.check()
        await store.close()
