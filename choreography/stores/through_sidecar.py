"""Records in a state store of the sidecar: for a database that only Dapr supports, such as MySQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import orjson

from choreography.engine.beside import Beside
from choreography.engine.envelope import as_moment
from choreography.engine.identity import Key
from choreography.engine.operations import (
    ANY_ETAG,
    CommitResult,
    Committed,
    Conflict,
    Refused,
    Stored,
    Unknown,
    Values,
    Write,
)
from choreography.errors import InvalidEventError, SelfCheckError
from choreography.listing import ListRequest, ListView
from choreography.sidecar.client import TROUBLE, SidecarClient
from choreography.stores.listed import Row
from choreography.stores.port import Clock, words_of

_CONFLICTS: Final = ("possible etag mismatch", "no item was updated", "item already exists")
_KEYS_AT_ONCE: Final = 1000
_TTL: Final = 3600
_CUT: Final = timedelta(seconds=0.5)
"""Stores round the time of expiry down to a whole second: half a second on average."""


class SidecarStore:
    """The state store of one component, through the sidecar's state API.

    A bulk get may report a missing value although one exists, and with most databases every operation of a transaction
    is a round trip of its own.
    """

    snapshot_reads = False
    unsafe = (
        "state.redis fails this probe by design; use a database directly (CHOREOGRAPHY_DATABASE), or "
        "state.postgresql (version v2), state.mysql or state.sqlite (components/stores)."
    )

    def __init__(self, sidecar: SidecarClient, component: str, lists: Sequence[ListView] = ()) -> None:
        self._sidecar, self._lists = sidecar, lists
        self._state = f"/v1.0/state/{component}"

    async def read(self, keys: Sequence[Key], trace: str = "") -> Values:
        """Read keys in bulk. A failed call is a failed read of every key."""
        found: dict[Key, Stored] = {}
        failed: set[Key] = set()
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = {str(key): key for key in keys[start : start + _KEYS_AT_ONCE]}
            try:
                asked = orjson.dumps({"keys": list(part)})
                answered = await self._sidecar.call("POST", f"{self._state}/bulk", asked, trace)
                items = orjson.loads(answered.body) if answered.status == 200 else None
            except (*TROUBLE, orjson.JSONDecodeError):
                items = None
            if items is None:
                failed.update(part.values())
                continue
            for item in items:
                if item.get("error"):
                    failed.add(part[item["key"]])
                elif item.get("data") is not None:
                    found[part[item["key"]]] = Stored(_text(item["data"]), item.get("etag", ""))
        return Values(found, frozenset(failed))

    async def confirm(self, key: Key, trace: str = "") -> Stored | Unknown | None:
        """Read one key by itself: the value, None if it does not exist, or Unknown."""
        try:
            answered = await self._sidecar.call("GET", f"{self._state}/{key}", trace=trace)
            if answered.status == 204 or (answered.status == 200 and not answered.body):
                return None
            if answered.status != 200:
                return Unknown(f"{answered.status}: {answered.body[:300].decode(errors='replace')}")
            return Stored(_text(orjson.loads(answered.body)), answered.headers.get("etag", ""))
        except (*TROUBLE, orjson.JSONDecodeError) as error:
            return Unknown(words_of(error))

    async def commit(self, writes: Sequence[Write], trace: str = "", beside: Beside | None = None) -> CommitResult:
        """Write everything in one transaction and classify the answer by what it proves.

        Raises:
            RuntimeError: the service has tables of its own, and so should not have started on this store.
        """
        if beside is not None:
            raise RuntimeError("No table of a service's own is in a transaction of the sidecar.")
        body = orjson.dumps({"operations": [_operation(write) for write in writes]})
        try:
            answered = await self._sidecar.call("POST", f"{self._state}/transaction", body, trace)
        except TROUBLE as error:
            return Unknown(words_of(error))
        status, text = answered.status, answered.body[:500].decode(errors="replace")
        if status < 300:
            return Committed()
        if any(words in text for words in _CONFLICTS):
            return Conflict(text)
        if 400 <= status < 500 and status not in (401, 403, 408, 429):
            return Refused(f"{status}: {text}")
        return Unknown(f"{status}: {text}", answered=True)

    async def clock(self, probe: Key) -> Clock | None:
        """Return the time by the clock of the store, derived from the time at which a record will expire."""
        written = await self.commit([Write(probe, "clock", ANY_ETAG, _TTL)])
        if not isinstance(written, Committed):
            return None
        try:
            answered = await self._sidecar.call("GET", f"{self._state}/{probe}")
            expires = as_moment(answered.headers.get("metadata.ttlExpireTime"))
        except (*TROUBLE, InvalidEventError):
            return None
        return Clock(expires + _CUT - timedelta(seconds=_TTL), _CUT)

    async def page(self, asked: ListRequest, trace: str = "") -> Sequence[Row] | Unknown:
        """Return no page: the state API supports only lookups by key."""
        del asked, trace
        return Unknown("the state API of the sidecar has no lists")

    async def check(self) -> None:
        """Refuse lists. The settings of a component cannot be read, so the probes check the rest.

        Raises:
            SelfCheckError: the service has lists.
        """
        if self._lists:
            raise SelfCheckError(
                f"The state store of the sidecar finds records by their keys alone, and this service lists "
                f"{self._lists[0].entity.__name__} at {self._lists[0].path}. Use PostgreSQL or SQLite directly "
                "(CHOREOGRAPHY_DATABASE), or leave the lists out with CHOREOGRAPHY_LISTS=off; then they answer 501."
            )

    async def clean(self, table: str, most: int) -> int:
        """Do nothing: Dapr's components delete expired records by themselves."""
        del table, most
        return 0

    async def overdue(self) -> float:
        """Return 0: a component does not report it."""
        return 0.0

    async def close(self) -> None:
        """Do nothing: the connections belong to the sidecar."""


def _operation(write: Write) -> dict[str, Any]:
    request: dict[str, Any] = {"key": str(write.key)}
    if write.value is not None:
        request["value"] = write.value
    if write.etag != ANY_ETAG:
        request["options"] = {"concurrency": "first-write"}
        if write.etag is not None:
            request["etag"] = write.etag
    if write.ttl_seconds is not None:
        request["metadata"] = {"ttlInSeconds": str(write.ttl_seconds)}
    return {"operation": "delete" if write.value is None else "upsert", "request": request}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
