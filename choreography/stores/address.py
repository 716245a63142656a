"""The place of a service's tables: the URL of a database, and the schema in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from choreography.errors import ChoreographyError

_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_WORDS: Final = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
    collation column concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user default deferrable desc distinct do else end
    except false fetch for foreign freeze from full grant group having ilike in initially inner intersect into
    is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null offset on
    only or order outer overlaps placing primary references returning right select session_user similar some
    symmetric table tablesample then to trailing true union unique user using variadic verbose when where window
    with
"""
"""Reserved words of PostgreSQL, which cannot be the name of a schema without quotes."""
_SCHEMES: Final = ("postgresql", "postgres", "sqlite")


@dataclass(frozen=True)
class DatabaseAddress:
    """One database and one schema.

    Attributes:
        url: the URL, which may hold a password.
        schema: the schema, which holds only the tables of one service.
    """

    url: str = field(repr=False)
    schema: str

    @classmethod
    def read(cls, url: str, schema: str) -> Self:
        """Read a URL: ``postgresql://user:password@host:port/database?sslmode=verify-full`` or ``sqlite:///file``.

        Raises:
            ChoreographyError: the URL names no usable store. The message does not repeat the URL.
        """
        try:
            parts = urlsplit(url)
            scheme, _ = parts.scheme, parts.port
        except ValueError:
            raise ChoreographyError(
                "CHOREOGRAPHY_DATABASE is no URL. What is special in a password (/ : @ # ?) must be percent-encoded: "
                "postgresql://user:pa%2Fss@host:5432/database."
            ) from None
        if scheme not in _SCHEMES:
            raise ChoreographyError(
                f"CHOREOGRAPHY_DATABASE begins with {scheme!r}, and there is no driver for that. Write "
                "postgresql://user:password@host:5432/database or sqlite:///folder/file.db, or leave it out to use the "
                "state store of the sidecar (CHOREOGRAPHY_STORE)."
            )
        if scheme != "sqlite" and not _usable(schema):
            raise ChoreographyError(
                f"CHOREOGRAPHY_SCHEMA says {schema!r}, which PostgreSQL would fold or cut, or which is a word of its "
                "own. Write lower-case letters, digits and underscores, at most 63: checkout_order."
            )
        return cls(url, schema)

    @property
    def is_file(self) -> bool:
        """Whether the database is one file of this service's own."""
        return urlsplit(self.url).scheme == "sqlite"

    @property
    def file(self) -> str:
        """The path of the file."""
        return unquote(urlsplit(self.url).path.removeprefix("/"))

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments with which to connect."""
        return {"dsn": self.url}


def schema_of(prefix: str, service: str) -> str:
    """Return the name of a service's schema, such as ``checkout_order``; without a prefix the name of the service."""
    name = "_".join(filter(None, re.split(r"[^a-z0-9]+", f"{prefix} {service}".lower())))[:63]
    # Without a prefix the name of the service may be a reserved word of PostgreSQL, or begin with a digit.
    return name if _usable(name) else f"service_{name}"[:63]


def _usable(schema: str) -> bool:
    return _SCHEMA.fullmatch(schema) is not None and schema not in _WORDS.split()
