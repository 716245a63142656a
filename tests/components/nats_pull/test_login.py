"""The component's logins, and the messages about refused ones."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.nats_pull.nkeys import SeedError, public_key, read_seed, signed
from tests.components.nats_pull.server import File, nats_server, served
from tests.components.waiting import eventually, eventually_told

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
"""A pair from the documents of NATS."""


@pytest.fixture
async def component() -> AsyncIterator[Any]:
    """A component of its own for each test."""
    async with served() as component:
        yield component


def test_a_seed_has_the_public_key_that_the_documents_of_nats_show() -> None:
    """It signs so that this key can verify it."""
    assert public_key(SEED) == PUBLIC
    read_seed(SEED).public_key().verify(base64.b64decode(signed(SEED, "nonce")), b"nonce")


@pytest.mark.parametrize("text", ["", "SUA", "not base32!", PUBLIC, SEED[:-1] + "A", SEED.lower()])
def test_what_is_no_seed_is_refused(text: str) -> None:
    """A seed with a wrong checksum would be a key that no server knows."""
    with pytest.raises(SeedError):
        read_seed(text)


@pytest.mark.parametrize(
    ("users", "right", "wrong"),
    [
        ('{user: "order", password: "secret"}', {"username": "order", "password": "secret"}, {"password": "guess"}),
        (f'{{nkey: "{PUBLIC}"}}', {"seedKey": SEED}, {"seedKey": "", "username": "order", "password": "x"}),
    ],
    ids=["user and password", "nkey"],
)
async def test_a_login_is_used_and_a_wrong_one_is_refused_at_the_start(
    tmp_path: Path, component: Any, users: str, right: dict[str, str], wrong: dict[str, str]
) -> None:
    """It is refused when a person looks, because every call would fail."""
    async with nats_server(tmp_path, f"authorization {{ users = [ {users} ] }}") as server:
        file = File(component, server, **right)
        await file.init()
        await file.publish("login", b"x")
        await file.subscribe("login")
        await eventually(lambda: file.data == [b"x"])
        await file.close()
        other = File(component, server, name="other", **(right | wrong))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await other.init()
        assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "NATS does not take this login" in str(failure.value.details())


async def test_a_token_is_used(tmp_path: Path, component: Any) -> None:
    """One token serves all clients, where a server knows no users."""
    async with nats_server(tmp_path, 'authorization { token: "s3cret" }') as server:
        file = File(component, server, token="s3cret")
        await file.init()
        await file.publish("token", b"x")
        with pytest.raises(grpc.aio.AioRpcError):
            await File(component, server, name="other").init()


async def test_a_server_that_is_away_at_the_start_is_waited_for(tmp_path: Path, component: Any) -> None:
    """A sidecar whose component fails to start ends itself."""
    async with nats_server(tmp_path) as server:
        await server.process.kill()
        file = File(component, server)
        await file.init()
        await file.subscribe("late")
        await server.process.start()
        await server.process.until_ready()
        async with server.streams() as streams:

            async def made() -> bool:
                return bool(await streams.streams_info())

            await eventually_told(made)
            await streams.publish("late", b"x")
        await eventually(lambda: file.data == [b"x"])
        await file.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nats")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def test_tls_trusts_the_authority_that_the_file_names_and_no_other(tmp_path: Path, component: Any) -> None:
    """It also shows a certificate where the server asks for one."""
    certificate, key = _certificate(tmp_path)
    tls = f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{certificate}", verify: true }}'
    async with nats_server(tmp_path, tls) as server:
        url = server.url.replace("nats://127.0.0.1", "tls://localhost")
        shown = {"tls_client_cert": certificate.read_text(), "tls_client_key": key.read_text()}
        file = File(component, server, natsURL=url, tls_ca_cert=certificate.read_text(), **shown)
        await file.init()
        await file.publish("encrypted", b"x")
        await file.subscribe("encrypted")
        await eventually(lambda: file.data == [b"x"])
        await file.close()
        stranger = File(component, server, name="other", natsURL=url)
        await stranger.init()
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stranger.publish("encrypted", b"x")
        assert "tls_ca_cert" in str(failure.value.details())


async def test_the_commands_say_what_they_made_and_what_is_left(tmp_path: Path) -> None:
    """A second time there is nothing to make."""
    async with nats_server(tmp_path) as server:
        asked = (
            f'{{"settings": {{"natsurl": "{server.url}"}}, "topics": ["shop.orders", "shop.unheard"], '
            '"subscriptions": [["billing", "shop.orders"]]}'
        )
        assert await _command("provision", asked) == [
            "NATS stream shop_orders of shop.orders",
            "NATS stream shop_unheard of shop.unheard",
            "NATS consumer billing-shop_orders-pull on stream shop_orders",
        ]
        assert await _command("provision", asked) == []
        [differs] = await _command("provision", asked.replace('"settings": {', '"settings": {"ackWait": "60s", '))
        assert differs.startswith(
            "The consumer billing-shop_orders-pull of stream shop_orders is not as the file says."
        )
        assert "30 s, and the file says 60 s" in differs
        async with server.streams() as streams:
            await streams.publish("shop.orders", b"x")
        assert await _command("count", asked) == [
            '{"topic": "shop.orders", "kept": 1, "last": 1}',
            '{"topic": "shop.unheard", "kept": 0, "last": 0}',
            '{"app": "billing", "topic": "shop.orders", "waiting": 1, "in_hand": 0}',
        ]


_WITHOUT: Final = """
import runpy, sys
sys.modules |= dict.fromkeys(("grpc", "grpc_reflection", "cryptography", "google.protobuf"))
sys.argv = ["nats_pull", *sys.argv[1:]]
runpy.run_module("components.nats_pull", run_name="__main__")
"""


async def _command(name: str, asked: str) -> list[str]:
    """Run it with the packages in the services' image, where `choreography provision` runs."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", _WITHOUT, name],
        cwd=Path(__file__).parents[3],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate(asked.encode())
    assert process.returncode == 0
    return said.decode().splitlines()
