"""Dapr's own suite for pub/sub components, by the adapter with which a sidecar reaches one in another process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from choreography.progress import Progress
from choreography.up.probes import listening_at
from choreography.up.processes import Processes, Program
from components.pluggable.server import SOCKETS_FOLDER
from tests.components.dapr_suite import plain
from tests.components.dapr_suite.suite import Asked, obtain_suite, run_suite
from tests.components.eventbridge.emulated import emulated_aws
from tests.components.eventbridge.pod import ACCOUNT, Pod
from tests.components.nats_pull.server import nats_server

ROOT = Path(__file__).parents[2]
TOPICS = ("testTopic", "multiTopic1", "multiTopic2")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def suite() -> Path:
    """The program; `make tools` has built it."""
    return obtain_suite(Progress.silent())


async def test_the_plainest_component_passes(suite: Path) -> None:
    """It passes, order and bulks included, so a failure elsewhere is not due to the suite or the adapter."""
    async with plain.served(plain.Plain()) as socket:
        verdict = await run_suite(suite, Asked(socket, in_order=True))
    assert not verdict.failed, verdict.output
    assert {"/subscribe", "/publish", "/bulkPublish", "/verify_read", "/multiple_handlers"} <= set(verdict.passed)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (plain.Losing, "/multiple_handlers"),
        (plain.LosingOfBulks, "/verify_read"),
        (plain.Changing, "/verify_read"),
        (plain.Repeating, "/multiple_handlers"),
    ],
)
async def test_a_component_that_is_broken_fails(suite: Path, broken: type[plain.Plain], test: str) -> None:
    """The suite's test about that defect fails."""
    async with plain.served(broken()) as socket:
        verdict = await run_suite(suite, Asked(socket, in_order=True, seconds=6))
    assert test in verdict.failed, verdict.output


@pytest.fixture(scope="module")
async def pod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pod]:
    """An emulator of AWS."""
    async with emulated_aws(tmp_path_factory.mktemp("aws")) as pod:
        yield pod


async def _judge(suite: Path, pod: Pod, bus: str, *, beforehand: bool) -> None:
    """Run the suite against a component that was just started, on a bus of its own."""
    settings = {**pod.settings(busName=bus), "consumerID": "suite", "maxReceives": "1000"}
    if beforehand:
        asked = {"settings": settings, "subscriptions": [["suite", topic] for topic in TOPICS]}
        provision = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "components.eventbridge", "provision"],
            cwd=ROOT,
            env={**os.environ, **ACCOUNT},
            stdin=asyncio.subprocess.PIPE,
        )
        await provision.communicate(json.dumps(asked).encode())
        assert provision.returncode == 0
    async with Processes() as processes:
        [process] = processes.wave([pod.component()])
        await process.start()
        await process.until_ready()
        verdict = await run_suite(suite, Asked(pod.sockets / "aws.eventbridge.sock", settings))
        await processes.stop_all()
    assert not verdict.failed, verdict.output
    assert "/bulkPublish" in verdict.passed


@pytest.mark.parametrize("beforehand", [False, True], ids=["on a fresh bus", "on a provisioned bus"])
async def test_the_component_for_eventbridge_passes(suite: Path, pod: Pod, beforehand: bool) -> None:
    """It promises no order. The suite publishes as soon as Subscribe has returned."""
    await _judge(suite, pod, f"suite-{beforehand}", beforehand=beforehand)


async def _judge_on_nats(suite: Path, folder: Path, *, beforehand: bool) -> None:
    """Run the suite against a component that was just started, on a server of its own."""
    async with nats_server(folder) as server, Processes() as processes:
        settings = {"natsURL": server.url, "consumerID": "suite"}
        if beforehand:
            asked = {"settings": settings, "subscriptions": [["suite", topic] for topic in TOPICS]}
            provision = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "components.nats_pull", "provision"], cwd=ROOT, stdin=asyncio.subprocess.PIPE
            )
            await provision.communicate(json.dumps(asked).encode())
            assert provision.returncode == 0
        with tempfile.TemporaryDirectory(prefix="np-") as sockets:
            socket = Path(sockets) / "nats-pull.sock"
            [process] = processes.wave(
                [
                    Program(
                        name="component",
                        command=[sys.executable, "-m", "components.nats_pull"],
                        folder=ROOT,
                        log=folder / "component.log",
                        environment={SOCKETS_FOLDER: sockets},
                        ready=lambda: listening_at(socket),
                    )
                ]
            )
            await process.start()
            await process.until_ready()
            verdict = await run_suite(suite, Asked(socket, settings, in_order=True))
            await processes.stop_all()
    assert not verdict.failed, verdict.output
    assert "/bulkPublish" in verdict.passed


@pytest.mark.parametrize("beforehand", [False, True], ids=["on a fresh server", "on a provisioned server"])
async def test_the_component_for_nats_passes(suite: Path, tmp_path: Path, beforehand: bool) -> None:
    """The suite publishes as soon as Subscribe has returned, and JetStream keeps what nobody has subscribed to yet."""
    await _judge_on_nats(suite, tmp_path, beforehand=beforehand)


@pytest.mark.deep
@pytest.mark.parametrize("time", range(20))
@pytest.mark.parametrize("beforehand", [False, True], ids=["on a fresh server", "on a provisioned server"])
async def test_the_component_for_nats_passes_every_time(
    suite: Path,
    tmp_path: Path,
    beforehand: bool,
    time: int,  # noqa: ARG001 - it is only done again
) -> None:
    """A race that is lost once in ten runs is a race that is lost."""
    await _judge_on_nats(suite, tmp_path, beforehand=beforehand)


@pytest.mark.deep
@pytest.mark.parametrize("time", range(20))
@pytest.mark.parametrize("beforehand", [False, True], ids=["on a fresh bus", "on a provisioned bus"])
async def test_the_component_for_eventbridge_passes_every_time(
    suite: Path, pod: Pod, beforehand: bool, time: int
) -> None:
    """A race that is lost once in ten runs is a race that is lost."""
    await _judge(suite, pod, f"deep-{beforehand}-{time}", beforehand=beforehand)
