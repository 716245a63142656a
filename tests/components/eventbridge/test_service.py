"""The component as a sidecar sees it, over gRPC, where no AWS is needed."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from choreography.up.probes import listening_at
from choreography.up.processes import Process, Processes, Program
from components.pluggable.proto import common_pb2, pubsub_pb2, pubsub_pb2_grpc
from components.pluggable.server import SOCKETS_FOLDER

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "consumerID": "order",
    "region": "eu-west-1",
    "accessKey": "x",
    "secretKey": "y",
    "endpoint": "http://[::1]:9",
}
NAME = (("x-component-instance", "pubsub"),)


def _program(sockets: Path) -> Program:
    return Program(
        name="component",
        command=[sys.executable, "-m", "components.eventbridge"],
        folder=ROOT,
        log=sockets / "component.log",
        environment={SOCKETS_FOLDER: str(sockets)},
        ready=lambda: listening_at(sockets / "aws.eventbridge.sock"),
    )


@pytest.fixture
async def component() -> AsyncIterator[tuple[Process, Path]]:
    """A component of its own for each test."""
    with tempfile.TemporaryDirectory(prefix="eb-") as folder:
        async with Processes() as processes:
            [process] = processes.wave([_program(Path(folder))])
            await process.start()
            await process.until_ready()
            yield process, Path(folder)


@pytest.fixture
async def channel(component: tuple[Process, Path]) -> AsyncIterator[Any]:
    """A connection to it."""
    _, folder = component
    async with grpc.aio.insecure_channel(f"unix:{folder / 'aws.eventbridge.sock'}") as channel:
        yield channel


@pytest.fixture
def sidecar(channel: Any) -> Any:
    """Return the stub that a sidecar calls."""
    return pubsub_pb2_grpc.PubSubStub(channel)  # type: ignore[no-untyped-call] # generated


async def _init(sidecar: Any, **more: str) -> None:
    metadata = common_pb2.MetadataRequest(properties={**SETTINGS, **more})
    await sidecar.Init(pubsub_pb2.PubSubInitRequest(metadata=metadata), metadata=NAME)


async def test_a_sidecar_finds_the_service_by_reflection(channel: Any) -> None:
    """It asks in the old version of that protocol."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    async for answer in stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")])):
        names = [service.name for service in answer.list_services_response.service]
        assert "dapr.proto.components.v1.PubSub" in names


async def test_a_sidecar_may_hand_over_whole_bulks_and_waits_for_no_batch(sidecar: Any) -> None:
    """The names are those that the sidecar compares with."""
    answer = await sidecar.Features(common_pb2.FeaturesRequest(), metadata=NAME)
    assert list(answer.features) == ["BULK_PUBSUB", "BULK_SUBSCRIBE_IMMEDIATE"]


async def test_it_starts_without_aws_and_tells_when_it_cannot_publish(sidecar: Any) -> None:
    """A sidecar whose component fails to start ends itself, so an AWS that is away for a while must not fail that."""
    await _init(sidecar)
    await sidecar.Ping(common_pb2.PingRequest(), metadata=NAME)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await sidecar.Publish(pubsub_pb2.PublishRequest(topic="orders", data=b"x"), metadata=NAME)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "Could not connect" in str(failure.value.details())


@pytest.mark.parametrize(
    ("more", "sentence"),
    [({"buss": "x"}, "'buss' is no setting"), ({"maxInFlight": "many"}, "whole number from 1 to 1000")],
)
async def test_a_file_that_cannot_be_meant_is_refused(sidecar: Any, more: dict[str, str], sentence: str) -> None:
    """It is refused at the start, when a person looks."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _init(sidecar, **more)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert sentence in str(failure.value.details())


async def test_two_sidecars_cannot_share_a_process(sidecar: Any) -> None:
    """Their calls look alike, and one would read the queues of the other."""
    await _init(sidecar)
    await _init(sidecar, visibilityTimeout="60")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _init(sidecar, consumerID="billing")
    assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "a process and a sockets folder of its own" in str(failure.value.details())


async def test_a_sidecar_that_was_there_before_is_told_to_restart(sidecar: Any) -> None:
    """Without its settings there is no bus to publish to."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await sidecar.Publish(pubsub_pb2.PublishRequest(topic="orders", data=b"x"), metadata=NAME)
    assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "Restart the sidecar" in str(failure.value.details())


async def test_a_second_process_does_not_take_the_socket_of_the_first(component: tuple[Process, Path]) -> None:
    """The socket of a dead process is replaced."""
    process, folder = component
    async with Processes() as processes:
        [second] = processes.wave([_program(folder)])
        await second.start()
        pid = second.pid
        assert pid is not None
        await processes.until_death()
    assert "Another process serves" in (folder / "component.log").read_text()
    await process.kill()
    assert (folder / "aws.eventbridge.sock").exists()
    await process.start()
    await process.until_ready()


async def test_it_ends_when_it_is_asked_to_and_leaves_no_socket(component: tuple[Process, Path]) -> None:
    """This holds also with a stream open while AWS is down."""
    process, folder = component
    async with grpc.aio.insecure_channel(f"unix:{folder / 'aws.eventbridge.sock'}") as channel:
        sidecar = pubsub_pb2_grpc.PubSubStub(channel)  # type: ignore[no-untyped-call] # generated
        await _init(sidecar)
        stream = sidecar.PullMessages(metadata=NAME)
        await stream.write(pubsub_pb2.PullMessagesRequest(topic=pubsub_pb2.Topic(name="orders")))
        assert process.pid is not None
        process.may_end()
        os.kill(process.pid, signal.SIGTERM)
        await process.stop()
    assert not (folder / "aws.eventbridge.sock").exists()
