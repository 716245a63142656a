"""The kit itself: safe components pass, and components that lose messages fail."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from choreography.conform.asking import ConformError
from choreography.conform.conforming import ComponentUnderTest, Workplace, conform
from choreography.conform.result import FAILED, PASSED, ConformReport
from choreography.progress import Progress
from choreography.up.brokers.redis import find_redis
from choreography.up.ports import Ports
from choreography.up.processes import Processes

COMPONENTS = Path(__file__).parents[3] / "components"


async def found(
    tmp_path: Path, component: Path, start: str, *only: str, resiliency: Path | None = None
) -> ConformReport:
    """Test a component, with short time limits."""
    # The test includes servers that are known to lose messages: the kit must find it.
    subject = ComponentUnderTest(component, start, resiliency=resiliency, only=only, patience=15, judged=False)
    return await conform(subject, tmp_path / "run", Progress.silent())


def changed(tmp_path: Path, file: Path, pattern: str, by: str) -> Path:
    """Copy a file with a change."""
    copy = tmp_path / file.name
    text, count = re.subn(pattern, by, file.read_text())
    assert count, "there is nothing to change"
    copy.write_text(text)
    return copy


async def test_a_safe_broker_passes(tmp_path: Path) -> None:
    """Redis with our settings redelivers a refused message."""
    report = await found(tmp_path, COMPONENTS / "brokers" / "redis.yaml", "redis", "was refused", "poison")
    assert [one.outcome for one in report.results] == [PASSED, PASSED]
    assert report.server.startswith("Redis ")


async def test_a_broker_without_retries_fails(tmp_path: Path) -> None:
    """Redis forgets what failed once, unless the sidecar tries again."""
    policies = changed(tmp_path, COMPONENTS / "resiliency.yaml", "maxRetries: -1", "maxRetries: 0")
    report = await found(tmp_path, COMPONENTS / "brokers" / "redis.yaml", "redis", "was refused", resiliency=policies)
    assert [one.outcome for one in report.results] == [FAILED]
    assert "not within 15 s" in report.results[0].told


async def test_a_broker_that_acknowledges_before_it_is_handled_fails(tmp_path: Path) -> None:
    """JetStream in parallel counts a message as done once its goroutine has begun; a crash then loses it."""
    parallel = changed(tmp_path, COMPONENTS / "brokers" / "nats.yaml", '"single"', '"parallel"')
    policies = COMPONENTS / "resiliency.yaml"
    report = await found(tmp_path, parallel, "nats", "sidecar is killed", resiliency=policies)
    assert [one.outcome for one in report.results] == [FAILED]


async def test_a_store_that_is_not_atomic_fails(tmp_path: Path) -> None:
    """Redis as a store keeps the rest of a transaction whose first-write was refused."""
    component = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "statestore"},
        "spec": {"type": "state.redis", "version": "v1", "metadata": [{"name": "redisHost", "envRef": "REDIS_HOST"}]},
    }
    file = tmp_path / "redis-store.yaml"
    file.write_text(yaml.safe_dump(component))
    async with redis_at(tmp_path) as address:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REDIS_HOST", address)
            report = await found(tmp_path, file, "", "first-write")
    assert [one.outcome for one in report.results] == [FAILED]


@asynccontextmanager
async def redis_at(tmp_path: Path) -> AsyncIterator[str]:
    """Start a Redis that is not the kit's."""
    ports = Ports(tmp_path / "redis-ports.json")
    place = Workplace(ports, tmp_path / "redis")
    broker = find_redis(Progress.silent())
    async with Processes() as processes:
        (process,) = processes.wave(broker.programs(place))
        await process.start()
        await process.until_ready()
        yield broker.address(place.port("redis"))
    ports.release()


async def test_what_is_no_component_is_refused(tmp_path: Path) -> None:
    """The message says what a component is."""
    with pytest.raises(ConformError, match="holds no component; exactly one broker"):
        await found(tmp_path, COMPONENTS / "resiliency.yaml", "redis")
    with pytest.raises(ConformError, match=r"Nobody here can start 'pigeon'\. Known are: redis"):
        await found(tmp_path, COMPONENTS / "brokers" / "redis.yaml", "pigeon")
