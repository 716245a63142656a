"""A flow of real processes is started, hurt, healed and stopped. The flow is a toy, so that only `up` can fail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from choreography.up import FlowFileError, ProcessDiedError, RunningFlow, UnknownNameError, UpError
from choreography.up.flowfile import read_flow

TOY = Path(__file__).parent / "toy"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client for apps and sidecars."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


def toy(run_folder: Path, **more: object) -> RunningFlow:
    """The toy flow keeps its state through its sidecars; letting them drain would gain nothing."""
    return RunningFlow(TOY, run_folder, **{"drain": False, "store": "sqlite-by-dapr", **more})  # type: ignore[arg-type]


async def publish(http: aiohttp.ClientSession, flow: RunningFlow) -> None:
    """Say hello once."""
    url, token = flow.sidecar("greeter")
    answer = await http.post(f"{url}/v1.0/publish/pubsub/greetings", json={}, headers={"dapr-api-token": token})
    assert answer.status == 204


async def counted(http: aiohttp.ClientSession, flow: RunningFlow, expected: int) -> None:
    """Wait until the service has counted that many."""
    seen = None
    async with asyncio.timeout(20):
        while seen != expected:
            await asyncio.sleep(0.1)
            seen = (await (await http.get(f"{flow.address('greeter')}/count")).json())["count"]


@pytest.mark.parametrize("store", ["sqlite-by-dapr", "postgres-by-dapr"])
async def test_state_is_found_again_by_the_next_run(tmp_path: Path, http: aiohttp.ClientSession, store: str) -> None:
    """An event passes broker, sidecar, app and store, and is still counted after everything was stopped."""
    async with toy(tmp_path / "run", store=store) as flow:
        await publish(http, flow)
        await counted(http, flow, 1)
        before = flow.address("greeter")
    async with toy(tmp_path / "run", store=store) as flow:
        await counted(http, flow, 1)
        await publish(http, flow)
        await counted(http, flow, 2)
        assert flow.address("greeter") == before
        if store == "sqlite-by-dapr":
            assert flow.state_file("greeter").is_file()
        else:
            assert "enable_seqscan=off enable_bitmapscan=off" in flow.postgres_dsn


async def test_what_is_killed_comes_back_on_its_old_port(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """Tests of the guarantee kill at random and go on with the same addresses."""
    async with toy(tmp_path / "run") as flow:
        for victim in ("greeter", "greeter-sidecar", "redis", "scheduler"):
            await flow.kill(victim)
            assert flow.pid(victim) is None
            await flow.start(victim)
        await publish(http, flow)
        await counted(http, flow, 1)


async def test_a_guest_may_publish_what_the_flow_does_not_expect_of_it(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    """Tests send hostile events under an app id without an app, with exactly its granted topics."""
    async with toy(tmp_path / "run") as flow:
        url, token = await flow.also_sidecar("stranger", "greetings")
        statuses = [
            (await http.post(f"{url}/v1.0/publish/pubsub/{topic}", json={}, headers={"dapr-api-token": token})).status
            for topic in ("greetings", "secrets")
        ]
        assert statuses == [204, 403]
        await counted(http, flow, 1)


async def test_a_sidecar_answers_nobody_without_its_token(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """Other programs of the machine can reach the port, but not use it; the app is protected the same way."""
    async with toy(tmp_path / "run") as flow:
        url = flow.sidecar("greeter").url
        assert (await http.post(f"{url}/v1.0/publish/pubsub/greetings", json={})).status == 401
        assert (await http.post(f"{flow.address('greeter')}/greetings", json={})).status == 401
        token = {"dapr-api-token": flow.app_token("greeter")}
        assert (await http.post(f"{flow.address('greeter')}/greetings", json={}, headers=token)).status == 200


async def test_a_service_is_told_its_environment_and_where_the_outside_is(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    """The caller's values win over the run file, and addresses are those of this run."""
    async with toy(tmp_path / "run", environment={"EXTRA": "yes"}) as flow:
        told = await (await http.get(f"{flow.address('greeter')}/count")).json()
        assert (told["GREETING"], told["EXTRA"]) == ("hello", "yes")
        ready = await (await http.get(f"{flow.address('greeter')}/readyz")).json()
        assert ready == {"outside": flow.address("toy_outside"), "traces": ""}
        with pytest.raises(UnknownNameError, match="no address called 'zipkin'"):
            flow.address("zipkin")


async def test_replicas_share_the_work_and_the_state(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """A replica has its own ports and sidecar, but its app id, and so its state, is that of the service."""
    async with toy(tmp_path / "run", replicas={"greeter": 2}) as flow:
        assert flow.address("greeter") != flow.address("greeter-2")
        await flow.kill("greeter")
        await flow.kill_sidecar("greeter")
        url, token = flow.sidecar("greeter-2")
        await http.post(f"{url}/v1.0/publish/pubsub/greetings", json={}, headers={"dapr-api-token": token})
        await flow.start("greeter")
        await flow.start_sidecar("greeter")
        await counted(http, flow, 1)


async def test_a_death_nobody_asked_for_fails_the_block(tmp_path: Path) -> None:
    """A test must not pass while half of its flow lies dead."""

    async def lose_redis() -> None:
        async with toy(tmp_path / "run") as flow:
            pid = flow.pid("redis")
            assert pid is not None
            os.kill(pid, 9)
            await flow.until_death()

    with pytest.raises(ProcessDiedError, match="redis ended by itself with signal SIGKILL"):
        await lose_redis()


async def test_two_runs_may_not_share_a_run_folder(tmp_path: Path) -> None:
    """The second is refused before it touches the state of the first."""
    async with toy(tmp_path / "run"):
        with pytest.raises(UpError, match="Another run uses"):
            await toy(tmp_path / "run").__aenter__()


def test_a_flow_without_components_for_a_broker_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The message names the existing brokers."""
    assert read_flow(TOY).name == "toy"
    with pytest.raises(FlowFileError, match="choose one that is there: redis"):
        toy(tmp_path / "run", broker="kafka")
