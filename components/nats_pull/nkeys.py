"""NATS's keys: an Ed25519 seed in base32, which signs the server's challenge, and its public key."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED: Final = 18 << 3
_USER: Final = 20 << 3
_CHECK: Final = 2


class SeedError(ValueError):
    """A text that is not the seed of a user."""


def read_seed(text: str) -> Ed25519PrivateKey:
    """Read the seed of a user.

    Raises:
        SeedError: the text is not the seed of a user.
    """
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise SeedError("it is not in base32.") from error
    body, check = raw[:-_CHECK], raw[-_CHECK:]
    if len(body) != 34 or binascii.crc_hqx(body, 0).to_bytes(_CHECK, "little") != check:
        raise SeedError("its length or its checksum is wrong.")
    if body[0] & 0xF8 != _SEED or ((body[0] & 7) << 5 | (body[1] & 0xF8) >> 3) != _USER:
        raise SeedError("it is a key, but not the seed of a user.")
    # A program with another kind of login, such as the provisioner, need not have this package.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(body[2:])


def public_key(seed: str) -> str:
    """Return the public key by which a server identifies a user: it begins with U."""
    raw = read_seed(seed).public_key().public_bytes_raw()
    body = bytes([_USER]) + raw
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(_CHECK, "little")).decode().rstrip("=")


def signed(seed: str, nonce: str) -> bytes:
    """Return the signature of the server's challenge, in the form that the server accepts."""
    return base64.b64encode(read_seed(seed).sign(nonce.encode()))
