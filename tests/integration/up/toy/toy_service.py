"""A small service for testing the machinery around it: it counts greetings in its store."""

from __future__ import annotations

import asyncio
import os

import aiohttp
import uvicorn
from fastapi import FastAPI, Request, Response

STATE = f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}/v1.0/state/state"
TOKEN = {"dapr-api-token": os.environ["DAPR_API_TOKEN"]}

app = FastAPI()
one_at_a_time = asyncio.Lock()


async def count() -> int:
    """How many greetings the store knows."""
    async with aiohttp.ClientSession(headers=TOKEN) as session, session.get(f"{STATE}/count") as answer:
        return int(await answer.json()) if answer.status == 200 else 0


@app.post("/greetings")
async def greet(request: Request) -> Response:
    """Count one more, if the sidecar is the one that belongs to this app."""
    if request.headers.get("dapr-api-token") != os.environ["APP_API_TOKEN"]:
        return Response(status_code=401)
    async with one_at_a_time, aiohttp.ClientSession(headers=TOKEN) as session:
        body = [{"key": "count", "value": await count() + 1}]
        async with session.post(STATE, json=body) as answer:
            return Response(status_code=200 if answer.ok else 500)


@app.get("/count")
async def show() -> dict[str, int | str]:
    """Return the count, and the environment of this process."""
    return {"count": await count(), **{name: os.environ.get(name, "") for name in ("GREETING", "EXTRA")}}


@app.get("/readyz")
async def ready() -> dict[str, str]:
    """Be ready at once."""
    return {"outside": os.environ["OUTSIDE_TOY_OUTSIDE"], "traces": os.environ.get("ZIPKIN_ENDPOINT", "")}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]), log_level="warning")
