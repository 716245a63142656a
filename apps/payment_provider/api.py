"""The provider's HTTP API. Every refusal is {"detail": sentence}, except a decline, which is an answer."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.payment_provider import __doc__ as description
from apps.payment_provider.entries import Entry, Totals
from apps.payment_provider.faults import LARGEST_AMOUNT, Attempts, Faults
from apps.payment_provider.ledger import ENTRIES_OF_ONE_ORDER, Ledger
from apps.payment_provider.shapes import (
    Charge,
    Charged,
    Declined,
    Entries,
    OfOrder,
    Problem,
    Refund,
    Refunded,
    Sums,
)

LARGEST_BODY = 16_384
STATUS = {"charge": 201, "refund": 201, "decline": 402, "unknown charge": 404, "too much to refund": 409}

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=256,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this request for ever: the same key and body get the same answer.",
    ),
]


class LimitedBodies:
    """Refuses bodies that no request of this API needs, before they are held in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives, and refuse once it is too much."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise HTTPException(413, f"The body is larger than {LARGEST_BODY} bytes. Nothing happened; send less.")
            return message

        await self._app(scope, counted if scope["type"] == "http" else receive, send)


def create_app(database: str, faults: Faults | None = None) -> FastAPI:
    """Build the app around the ledger in the given file; given faults replace those that were kept."""
    provider = Provider()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        provider.ledger = Ledger(database)
        if faults is not None:
            await provider.ledger.save_switches(faults.model_dump_json())
        if (switches := await provider.ledger.load_switches()) is not None:
            provider.faults = Faults.model_validate_json(switches)
        yield
        await provider.ledger.close()

    app = FastAPIOffline(
        title="Payment provider",
        description=description or "",
        lifespan=lifespan,
        responses={422: {"model": Problem}},
    )
    app.add_middleware(LimitedBodies)
    app.add_exception_handler(RequestValidationError, _explain)
    app.add_exception_handler(sqlite3.Error, _ledger_failed)
    _add_payments(app, provider)
    _add_ledger(app, provider)
    _add_faults(app, provider)
    return app


class Provider:
    """What the requests share."""

    ledger: Ledger

    def __init__(self) -> None:
        self.faults = Faults()
        self.attempts = Attempts()

    async def answer(self, proposed: Entry, faults: Faults, attempt: int) -> Response:
        """Record what was asked and answer as the ledger says, however late the faults want it."""
        entry, new = await self.ledger.record(proposed)
        if entry.asked != proposed.asked:
            raise HTTPException(
                422,
                f"The Idempotency-Key {entry.key} was used before, for another request. Nothing happened "
                "now; send the first body to hear its answer again, or use a new key.",
            )
        if new and entry.kind == "charge" and faults.hangs(entry.key, attempt):
            await asyncio.sleep(faults.hang_ms / 1000)
        body = json.dumps(_told(entry)).encode()
        return Response(body, STATUS[entry.kind], media_type="application/json")

    async def misbehave(self, faults: Faults, key: str, attempt: int) -> None:
        """Do what goes wrong before anything happens."""
        if faults.delay_ms:
            await asyncio.sleep(faults.delay_ms / 1000)
        if faults.down:
            raise HTTPException(
                503, "The provider is down (see /faults). Nothing happened; ask again with the same key."
            )
        if faults.breaks(key, attempt):
            raise HTTPException(
                500,
                f"The provider failed at attempt {attempt} (see /faults). Ask again with the same key.",
            )


def _add_payments(app: FastAPI, provider: Provider) -> None:
    troubles: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (413, 500, 503)}

    @app.post(
        "/charges",
        status_code=201,
        response_model=Charged,
        responses={402: {"model": Declined}, **troubles},
        tags=["payments"],
    )
    async def charge(key: IdempotencyKey, asked: Charge) -> Response:
        """Take money, once per key."""
        faults, attempt = provider.faults, provider.attempts.count(key)
        await provider.misbehave(faults, key, attempt)
        declined = faults.reason_to_decline(key, asked.amount)
        proposed = Entry.charging(key, **asked.model_dump(), declined=declined)
        return await provider.answer(proposed, faults, attempt)

    @app.post(
        "/refunds",
        status_code=201,
        response_model=Refunded,
        responses={404: {"model": Problem}, 409: {"model": Problem}, **troubles},
        tags=["payments"],
    )
    async def refund(key: IdempotencyKey, asked: Refund) -> Response:
        """Give money back, once per key, and never more than was taken."""
        faults, attempt = provider.faults, provider.attempts.count(key)
        await provider.misbehave(faults, key, attempt)
        proposed = Entry.refunding(key, asked.order_id, asked.charge_id, asked.amount)
        return await provider.answer(proposed, faults, attempt)


def _add_ledger(app: FastAPI, provider: Provider) -> None:
    @app.get("/ledger", response_model=Sums, tags=["ledger"])
    async def totals() -> Totals:
        """Sum up everything."""
        return provider.ledger.totals

    # Before /ledger/{order_id}, which would otherwise take "entries" for an order.
    @app.get("/ledger/entries", response_model=Entries, tags=["ledger"])
    async def entries(
        after: Annotated[int, Query(ge=0, le=LARGEST_AMOUNT)] = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> dict[str, Any]:
        """List all entries in their order, a page at a time."""
        page = await provider.ledger.page(after, limit)
        return {
            "entries": [{"number": number, **entry._asdict()} for number, entry in page],
            "next": page[-1][0] if len(page) == limit else None,
        }

    @app.get("/ledger/{order_id}", response_model=OfOrder, tags=["ledger"])
    async def of_order(order_id: Annotated[str, Path(min_length=1, max_length=128)]) -> dict[str, Any]:
        """List what happened to one order."""
        found = await provider.ledger.of_order(order_id)
        kept = found[:ENTRIES_OF_ONE_ORDER]
        return {
            "order_id": order_id,
            "charges": [_told(entry) for entry in kept if entry.kind == "charge"],
            "refunds": [_told(entry) for entry in kept if entry.kind == "refund"],
            "declines": [_told(entry) for entry in kept if entry.kind == "decline"],
            "complete": len(kept) == len(found),
        }


def _add_faults(app: FastAPI, provider: Provider) -> None:
    @app.get("/faults", tags=["faults"])
    async def faults() -> Faults:
        """Show which faults are switched on."""
        return provider.faults

    @app.put("/faults", tags=["faults"])
    async def switch(faults: Faults) -> Faults:
        """Switch faults on; those left out are switched off."""
        await provider.ledger.save_switches(faults.model_dump_json())
        provider.faults = faults
        return faults


def _told(entry: Entry) -> dict[str, object]:
    """Tell an entry to its caller; a repeat is told the same because nothing else goes in."""
    match entry.kind:
        case "charge":
            names: tuple[str, ...] = ("charge_id", "order_id", "amount", "currency")
            return {name: getattr(entry, name) for name in names} | {"status": "charged"}
        case "refund":
            names = ("refund_id", "charge_id", "order_id", "amount", "currency")
            return {name: getattr(entry, name) for name in names} | {"status": "refunded"}
        case "decline":
            return {"reason": entry.reason}
        case "unknown charge" | "too much to refund":
            return {"detail": entry.reason}


async def _explain(_: Request, error: Exception) -> JSONResponse:
    """Say which parts are wrong. The input is not echoed: it may hold what JSON cannot."""
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = "; ".join(_wrong(found) for found in error.errors()[:10])
    return JSONResponse({"detail": f"{wrong}. Nothing happened; correct it and send it again."}, 422)


def _wrong(found: dict[str, Any]) -> str:
    if found["type"] == "json_invalid":
        return f"the body is not JSON from character {found['loc'][-1]} on"
    return f"{'.'.join(str(part) for part in found['loc'][1:]) or found['loc'][0]}: {found['msg']}"


async def _ledger_failed(_: Request, error: Exception) -> JSONResponse:
    """A ledger that cannot be written answers nothing else: what happened is unknown to the caller."""
    sentence = f"The ledger could not be used ({error}). Free its disk, then ask again with the same key."
    return JSONResponse({"detail": sentence}, 503)
