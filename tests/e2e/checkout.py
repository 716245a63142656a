"""The checkout flow in a cluster: its release, its pods, and where each service is reached from this machine."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import aiohttp

from choreography.flow import services_of
from lab import Cluster

T = TypeVar("T")

NAMESPACE = "checkout"
RELEASE = "checkout"
CHART = "helm/choreography"
SERVICES = tuple(service.name for service in services_of("apps.checkout"))
OUTSIDE = "payment-provider"
PATIENCE = 120.0
ONE_ATTEMPT = aiohttp.ClientTimeout(total=10)


class Checkout:
    """One release of the flow."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        # A connection that is kept may lead to a pod that has been scaled away.
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        self.broker = "redis"
        self.before: set[str] = set()
        """Every object that was in the namespace before the flow."""
        self._addresses: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def install(self, *more: str) -> None:
        """Install or upgrade the release, and wait until every pod is ready."""
        values = ["values-dev.yaml", f"values/{self.broker}.yaml"]
        await self.cluster.helm(
            *["upgrade", "--install", RELEASE, CHART, "--namespace", NAMESPACE, "--wait", "--timeout", "8m"],
            *(word for file in values for word in ("--values", f"{CHART}/{file}")),
            # No network enforces the policies here, yet they must be accepted, and fit the pods.
            *["--set", "networkPolicy.enabled=true"],
            # This is the least that the chart admits, as a drain takes as long as a pod may take to end.
            *["--set", "defaults.shutdown.terminationSeconds=26"],
            *(word for setting in more for word in ("--set", setting)),
        )
        names = (*SERVICES, OUTSIDE, "redis", "postgres", "zipkin")
        found = await asyncio.gather(*(self.cluster.address(NAMESPACE, name) for name in names))
        self._addresses = dict(zip(names, found, strict=True))

    def address(self, name: str) -> str:
        """The base URL of a service, as the rehearsal asks for it."""
        return self._addresses[name]

    async def pods(self, service: str = "") -> list[dict[str, Any]]:
        """The pods of one service, or all of the namespace, without those that are ending."""
        selector = ["--selector", f"app.kubernetes.io/name={service}"] if service else []
        told = await self.kubectl("get", "pods", *selector, "--output", "json")
        return [pod for pod in json.loads(told)["items"] if "deletionTimestamp" not in pod["metadata"]]

    async def kubectl(self, *words: str, given: str = "") -> str:
        """Run kubectl in the namespace of the flow."""
        return await self.cluster.kubectl("--namespace", NAMESPACE, *words, given=given)

    async def get(self, service: str, path: str) -> tuple[int, Any]:
        """Send a GET; not every refusal is JSON: Zipkin's answer about a missing trace is not."""
        async with self.session.get(self.address(service) + path) as answer:
            told = await answer.text()
            try:
                return answer.status, json.loads(told)
            except json.JSONDecodeError:
                return answer.status, told

    async def order(self, **headers: str) -> str:
        """Stock one article, order it, and return the order's id."""
        sku = f"sku-{uuid.uuid4().hex[:8]}"
        await self.command("inventory", "/stock", {"sku": sku, "quantity": 1})
        await until(lambda: self.get("inventory", f"/stock/{sku}"), lambda told: told[0] == 200)
        return await self.order_of(sku, **headers)

    async def order_of(self, sku: str, **headers: str) -> str:
        """Order one thing, and return the order's id."""
        lines = [{"sku": sku, "quantity": 1, "unit_price": 500}]
        body = {"customer_id": "customer-1", "currency": "EUR", "lines": lines}
        return str((await self.command("order", "/orders", body, **headers))["order_id"])

    async def command(self, service: str, path: str, body: object, **headers: str) -> dict[str, Any]:
        """Send a command, and repeat it with the same key while it is unknown whether it was accepted."""
        url, keyed = self.address(service) + path, {"Idempotency-Key": uuid.uuid4().hex} | headers

        async def sent() -> dict[str, Any] | None:
            try:
                async with self.session.post(url, json=body, headers=keyed, timeout=ONE_ATTEMPT) as answer:
                    told = await answer.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                return None  # the pod that got the request has ended meanwhile
            assert answer.status in (202, 503), told
            return dict(told) if answer.status == 202 else None

        accepted = await until(sent, lambda told: told is not None)
        return accepted or {}

    async def ended(self, order: str, how: str) -> dict[str, Any]:
        """Wait until an order ended this way."""
        look = lambda: self.get("order", f"/orders/{order}")  # noqa: E731
        _, told = await until(look, lambda seen: seen[0] == 200 and seen[1]["status"] == how)
        return dict(told)

    async def python(self, service: str, code: str) -> str:
        """Run Python beside a service, in its own container."""
        return (
            await self.kubectl("exec", f"deploy/{service}", "--container", "app", "--", "python3", "-c", code)
        ).strip()


async def until(look: Callable[[], Awaitable[T]], enough: Callable[[T], object], within: float = PATIENCE) -> T:
    """Poll until a condition holds, or fail with the last result."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not enough(seen := await look()):
        assert loop.time() < end, f"not within {within:.0f} seconds; what was seen last is {seen!r}"
        await asyncio.sleep(0.5)
    return seen
