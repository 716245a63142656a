"""One call of an effect to the outside: its address, the replies that are definite, and how they are read."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import aiohttp
import orjson
from yarl import URL

from choreography.contracts import Value
from choreography.engine.records import CommittedIntent
from choreography.errors import ChoreographyError, OutsideUnavailableError, WrongAddressError
from choreography.outside import LONGEST_TEXT, Reply

_NO_ANSWER: Final = frozenset({408, 425, 429})
_LARGEST_REPLY: Final = 1024 * 1024


class OutsideAddress(NamedTuple):
    """The address of one outside system.

    Attributes:
        url: its base URL, without a credential, so that no log, error or span can show it.
        authorization: the header that carries the credential; empty if there is none.
    """

    url: str
    authorization: str


def read_address(name: str, base_url: str) -> OutsideAddress:
    """Read the configured base URL of an outside; a user and password in it become an Authorization header.

    Raises:
        ChoreographyError: the URL cannot be called. The message does not repeat the URL, as it may hold a password.
    """
    try:
        url = URL(base_url)
        usable = url.scheme in ("http", "https") and bool(url.host) and not url.raw_query_string and not url.fragment
    except ValueError:
        usable = False
    if not usable:
        raise ChoreographyError(
            f"{setting_of(name)} is no base URL that can be called, so no intent for {name} could be carried out. "
            "Write http:// or https://, a host and at most a path, and percent-encode what is special in a password."
        )
    authorization = ""
    if url.user is not None or url.password is not None:
        authorization = aiohttp.encode_basic_auth(url.user or "", url.password or "", "utf-8")
    return OutsideAddress(str(url.with_user(None)).rstrip("/"), authorization)


def setting_of(name: str) -> str:
    """Return the name of the environment variable that holds the base URL of an outside."""
    return f"OUTSIDE_{name.upper().replace('-', '_')}"


class Call:
    """The call of one effect to the outside, bound to the idempotency key and trace of its intent."""

    def __init__(self, session: aiohttp.ClientSession, name: str, base_url: str, committed: CommittedIntent) -> None:
        self._session, self._name = session, name
        self._address = read_address(name, base_url)
        self._headers = {
            "Idempotency-Key": committed.key,
            "content-type": "application/json",
            "accept-encoding": "identity",
        }
        if self._address.authorization:
            self._headers["authorization"] = self._address.authorization
        if committed.traceparent:
            self._headers["traceparent"] = committed.traceparent

    async def post(self, path: str, body: Value) -> Reply:
        """Send ``body``; see :class:`choreography.outside.Outside`."""
        if not path.startswith("/"):
            raise ValueError(f"The path {path!r} must begin with a slash, else it would change the host that is called")
        try:
            async with self._session.post(
                self._address.url + path, data=body.model_dump_json(), headers=self._headers, allow_redirects=False
            ) as response:
                status, headers = response.status, response.headers
                content_type, charset = response.content_type, response.charset or "utf-8"
                raw, cut = await _beginning(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutsideUnavailableError(f"{self._name} did not answer: {type(error).__name__}: {error}.") from error
        if status >= 500 or status in _NO_ANSWER:
            raise OutsideUnavailableError(f"{self._name} answered {status}, which is no answer.")
        if not (200 <= status < 300 or status >= 400):
            raise WrongAddressError(self._moved(status, path, headers.get("location", "")))
        raw = _decompressed(raw, headers.get("content-encoding", ""))
        return Reply(status, read_reply(raw, content_type, charset, cut=cut))

    def _moved(self, status: int, path: str, location: str) -> str:
        elsewhere = f" and names {_shown(location)}" if _shown(location) else ""
        return (
            f"{self._name} answered {status} to POST {path}{elsewhere}. "
            "A redirect is not followed, because only the configured address is trusted with an intent and its key. "
            f"Nothing was done about this intent. Set {setting_of(self._name)}, or the path in the effect, to the "
            "address that answers without a redirect."
        )


def read_reply(raw: bytes, content_type: str, charset: str, *, cut: bool = False) -> Mapping[str, Any]:
    """Return the body of a definite reply in one form: an object, ``value``, ``text`` or nothing.

    Args:
        raw: its bytes, or the beginning of them.
        content_type: the media type that its sender declares, without parameters.
        charset: the charset that its sender declares.
        cut: whether the reply was longer than the bytes that may be read.
    """
    if not cut:
        parsed = _json(raw, charset)
        if isinstance(parsed, dict):
            return parsed
        # Some servers send objects and lists as text/plain; a lone word or number may be plain text indeed.
        if isinstance(parsed, list) or (parsed is not _NO_JSON and _says_json(content_type)):
            return {"value": parsed}
    text = _text(raw, charset)
    if not text.strip():
        return {}
    if cut or len(text) > LONGEST_TEXT:
        return {"text": text[:LONGEST_TEXT], "cut": True}
    return {"text": text}


_NO_JSON: Final = object()


def _json(raw: bytes, charset: str) -> Any:
    try:
        return orjson.loads(raw.decode(charset).removeprefix("\ufeff"))
    except (ValueError, LookupError):
        return _NO_JSON


def _text(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset, "replace").removeprefix("\ufeff")
    except (ValueError, LookupError):
        return raw.decode("utf-8", "replace").removeprefix("\ufeff")


def _says_json(content_type: str) -> bool:
    return content_type.rpartition("/")[2] == "json" or content_type.endswith("+json")


def _decompressed(raw: bytes, encoding: str) -> bytes:
    """Undo an unrequested compression, up to the longest reply; a body that cannot be decompressed stays as it is."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return raw
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, _LARGEST_REPLY)
    except zlib.error:
        return raw


async def _beginning(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Read as much of a reply as may be read, in any number of parts, and tell whether there is more."""
    raw = bytearray()
    async for part in response.content.iter_any():
        raw += part
        if len(raw) > _LARGEST_REPLY:
            return bytes(raw[:_LARGEST_REPLY]), True
    return bytes(raw), False


def _shown(location: str) -> str:
    """Return the target of a redirect without parts that could be secret: a user, a password, a query."""
    try:
        return str(URL(location).with_query(None).with_fragment(None).with_user(None))[:200]
    except ValueError:
        # Only an absolute URL can have a user.
        return location.partition("?")[0].partition("#")[0][:200] if location.startswith("/") else ""
