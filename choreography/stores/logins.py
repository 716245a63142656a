"""The login of a service, read from the URL that the service is given, and the statements that make its role."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from choreography.errors import ChoreographyError
from choreography.stores.roles import refuse_odd

_ITERATIONS: Final = 4096
"""The number that PostgreSQL itself uses."""


@dataclass(frozen=True)
class Login:
    """The identity of a service for its database.

    Attributes:
        role: the name of the role.
        password: its password; empty if the role logs in by other means.
    """

    role: str
    password: str = field(repr=False)

    @classmethod
    def read(cls, url: str, service: str) -> Self:
        """Read the login URL of a service.

        Raises:
            ChoreographyError: the URL names no role.
        """
        try:
            parts = urlsplit(url)
            role, password = unquote(parts.username or ""), unquote(parts.password or "")
        except ValueError:
            role, password = "", ""
        if not role:
            raise ChoreographyError(
                f"The URL that {service} logs in with names no role, so nobody could be granted anything. Write "
                "postgresql://role:password@host:5432/database."
            )
        refuse_odd(role)
        return cls(role, password)

    def made(self) -> list[str]:
        """Return the statements that make the role, or set the password of an existing role.

        Raises:
            ChoreographyError: there is no password, or PostgreSQL would have to normalise it first.
        """
        if not self.password or not self.password.isascii():
            raise ChoreographyError(
                f"The role {self.role!r} cannot be made: the URL that its service logs in with has "
                + ("a password with other letters than those of ASCII." if self.password else "no password.")
                + " Write another password, or make the role yourself and leave out --make-roles."
            )
        literal = self.role.replace("'", "''")
        body = (
            f"BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{literal}') "
            f'THEN CREATE ROLE "{self.role}"; END IF; END'
        )
        quoted = body.replace("'", "''")
        return [f"DO '{quoted}'", f"ALTER ROLE \"{self.role}\" LOGIN PASSWORD '{_verifier(self.password)}'"]


def _verifier(password: str) -> str:
    """Return the verifier of a password that PostgreSQL stores, so that no statement and no log holds the password."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    shown = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{shown[0]}${shown[1]}:{shown[2]}"
