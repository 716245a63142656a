"""The conditions that an HTTP request must meet before its command is run: JSON, a caller, a key, size and time."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from email.message import Message
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Receive, Scope

from choreography.engine.keys import ANONYMOUS

LARGEST_BODY: Final = 128 * 1024
BODY_SECONDS: Final = 15.0
"""The limit for a whole body, not for each part: a client that sends a byte now and then must not stay for ever."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_CALLER: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?")
_LONGEST_SEGMENT: Final = 256

Fields = Mapping[bytes, list[bytes]]
"""The header fields of a request by their lower-case names, each with all of its values. Few are ever read, so a field
stays bytes until it is read."""


class RefusedError(Exception):
    """A request that is answered with a refusal.

    Attributes:
        status: the status of the answer.
        headers: further header fields of the answer.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.headers = status, dict(headers or {})


def fields_of(scope: Scope) -> Fields:
    """Return the header fields of a request."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def _texts(fields: Fields, name: str) -> list[str]:
    return [value.decode("latin-1") for value in fields.get(name.encode(), ())]


def key_of(fields: Fields) -> str:
    """Return the Idempotency-Key of a request, or a new one.

    Raises:
        RefusedError: there are two different keys, or the key could be cut or folded on its way.
    """
    # A proxy may join the values of several fields with commas.
    keys = {key.strip() for value in _texts(fields, "idempotency-key") for key in value.split(",")}
    if not keys:
        return secrets.token_hex(16)
    if len(keys) > 1:
        raise RefusedError(
            400, "The request has two Idempotency-Keys, so nobody can tell which other request it repeats. Send one."
        )
    (key,) = keys
    if not _KEY.fullmatch(key):
        raise RefusedError(422, "An Idempotency-Key has 1 to 128 visible ASCII characters and no comma.")
    return key


def caller_of(fields: Fields, header: str) -> str:
    """Return the caller, as the authenticating proxy names it; the anonymous caller if it is not named.

    Raises:
        RefusedError: there are two names, or the name is not valid.
    """
    names = _texts(fields, header)
    if len(names) > 1:
        raise RefusedError(
            400,
            f"The header {header} is there {len(names)} times, so nobody can tell who calls. Whoever authenticates "
            "callers must overwrite this header, not add to it.",
        )
    name = names[0].strip() if names else ""
    if name and not _CALLER.fullmatch(name):
        raise RefusedError(400, f"The header {header} must name the caller with 1 to 256 printable ASCII characters.")
    return name or ANONYMOUS


def require_json(fields: Fields) -> None:
    """Refuse a body that is not plain JSON in UTF-8, or that a page of another site may send without permission.

    A browser asks the server before a page of another site may send JSON, but not before it sends text, a form, or a
    request without a content type. A request without a content type is taken for JSON, unless a browser says that it
    comes from another site, which no page can prevent.

    Raises:
        RefusedError: the body is anything else.
    """
    if fields.get(b"content-type") != [b"application/json"]:
        types = _texts(fields, "content-type")
        if not types and _comes_from_elsewhere(fields):
            raise _unsupported(
                "The request comes from a web page of another site and has no content type. Its owner may not have "
                "agreed to it"
            )
        if len(types) > 1 or not all(map(_is_json, types)):
            raise _unsupported(f"The request is {', '.join(types)[:200]!r}, and a command is JSON in UTF-8")
    encodings = [*_texts(fields, "content-encoding"), *_texts(fields, "transfer-encoding")]
    if any(encoding.strip().lower() not in ("", "identity", "chunked") for encoding in encodings):
        raise RefusedError(
            415,
            f"The body is compressed ({', '.join(encodings)[:200]}), and its size could not be bounded. "
            "Send it as it is, without a content-encoding.",
            {"Accept-Encoding": "identity"},
        )


def require_segment(identity: str, field: str) -> None:
    """Refuse an id that no client could ask for at the Location it would get.

    A slash divides a path, percent-encoded or not, as proxies and servers decode it. Clients remove the segments ``.``
    and ``..`` from a path, percent-encoded or not.

    Raises:
        RefusedError: the id is such an id.
    """
    if not 0 < len(identity) <= _LONGEST_SEGMENT or identity in (".", "..") or "/" in identity or "\\" in identity:
        raise RefusedError(
            422,
            f"The {field} {identity[:_LONGEST_SEGMENT]!r} cannot be part of a URL that every client reaches, so nobody "
            f"could see what became of the request. Use 1 to {_LONGEST_SEGMENT} characters without / and \\, and "
            "neither . nor .. alone.",
        )


def require_plain_path(scope: Scope) -> None:
    """Refuse a path with an encoded slash: a proxy may see other parts in it than this service does.

    Raises:
        RefusedError: the path has an encoded slash.
    """
    if b"%2f" in scope.get("raw_path", b"").lower():
        raise RefusedError(404, "The path has an encoded slash (%2F), and no id that is accepted here has a slash.")


async def read_body(fields: Fields, receive: Receive) -> bytes:
    """Read a body to its end.

    Raises:
        RefusedError: the body is too large or does not end in time, or its sender disconnected before its end.
    """
    declared = fields.get(b"content-length", [b"0"])[0]
    if declared.isdigit() and (len(declared) > 18 or int(declared) > LARGEST_BODY):
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _whole(receive)
    except TimeoutError:
        detail = f"The body did not end within {BODY_SECONDS:g} seconds, so nothing was done. Send the request again."
        raise RefusedError(408, detail, {"Connection": "close"}) from None


async def _whole(receive: Receive) -> bytes:
    raw = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The client left before its request was whole, so nothing was done.")
        raw += message.get("body", b"")
        if len(raw) > LARGEST_BODY:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(raw)


def _too_large() -> RefusedError:
    return RefusedError(413, f"The body is too large: a request may have {LARGEST_BODY} bytes.")


def _unsupported(problem: str) -> RefusedError:
    return RefusedError(415, f"{problem}. Send it as content-type: application/json.", {"Accept": "application/json"})


def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    kind = message.get_content_type()
    charset = message.get_param("charset", "utf-8")
    return (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))) and (
        isinstance(charset, str) and charset.lower() in ("utf-8", "utf8", "us-ascii")
    )


def _comes_from_elsewhere(fields: Fields) -> bool:
    """Tell whether a browser says that a page of another origin sent this. Other clients send no such header."""
    sites = _texts(fields, "sec-fetch-site")
    if sites:
        return any(site not in ("same-origin", "none") for site in sites)
    return any(not _is_same(origin.lower(), _texts(fields, "host")) for origin in _texts(fields, "origin"))


def _is_same(origin: str, hosts: list[str]) -> bool:
    try:
        return [urlsplit(origin).netloc] == [host.lower() for host in hosts]
    except ValueError:
        return False
