"""Events left on a broker, as the broker counts them, compared with the events of real sidecars."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from choreography.conform.conforming import ComponentUnderTest, Workplace, _component, _resiliency, _start_broker
from choreography.conform.rig import Bench, Rig, _settings, rigged
from choreography.drain import DrainError, Sight, Where
from choreography.drain.broker_choice import BrokerLooker, looker_for
from choreography.progress import Progress
from choreography.provision import BrokerLayout
from choreography.up import dapr
from choreography.up.ports import Ports
from choreography.up.processes import Processes

COMPONENTS = Path(__file__).parents[3] / "components"
PATIENCE = 30.0
MANY = 7


@dataclass
class Looking:
    """A broker, sidecars on it, and a client that counts the events left."""

    rig: Rig
    looker: BrokerLooker
    layout: BrokerLayout
    where: Where

    async def sight(self) -> Sight:
        """Look once."""
        return await self.looker.look(self.layout, self.where)

    async def until(self, holds: Callable[[Sight], bool]) -> Sight:
        """Look until it holds: some brokers update their counts only every few seconds."""
        began = time.monotonic()
        while True:
            try:
                sight = await self.sight()
            except DrainError:
                # A queue of RabbitMQ has no figures before its first count.
                if time.monotonic() - began > PATIENCE:
                    raise
            else:
                if holds(sight) or time.monotonic() - began > PATIENCE:
                    return sight
            await asyncio.sleep(0.3)


@asynccontextmanager
async def looking(tmp_path: Path, broker: str) -> AsyncIterator[Looking]:
    """Start a broker."""
    subject = ComponentUnderTest(COMPONENTS / "brokers" / f"{broker}.yaml", broker)
    component = _component(subject.component)
    folder, ports = tmp_path / "run", Ports(tmp_path / "run" / "ports.json")
    daprd, _ = await asyncio.to_thread(dapr.find_or_build, Progress.silent())
    async with Processes() as processes:
        place = Workplace(ports, folder)
        served = await _start_broker(subject, place, processes, Progress.silent())
        bench = Bench(
            daprd,
            component,
            _resiliency(subject),
            served.told,
            served.address,
            served.process,
            folder,
            PATIENCE,
            served.beside,
            served.forgets,
        )
        async with rigged(bench, processes, ports) as rig:
            hearers = tuple((rig.app_id, topic) for topic in (rig.topic, rig.dead_letter_topic))
            kind = str(component["spec"]["type"])
            layout = BrokerLayout(kind, rig.pubsub, (rig.topic, rig.dead_letter_topic), hearers, _settings(component))
            where = Where(
                served.address, f"http://{_login(served.address)}127.0.0.1:{place.port('rabbitmq-management')}"
            )
            yield Looking(rig, looker_for(layout), layout, where)
    ports.release()


def _login(address: str) -> str:
    login, found, _ = address.rpartition("@")
    return f"{login.rpartition('//')[2]}@" if found else ""


def _left(sight: Sight) -> int:
    return sum(one.left for one in sight.standings)


@pytest.mark.parametrize("broker", ["redis", "nats", "nats-pull", "rabbitmq", "kafka", "aws", "eventbridge"])
async def test_a_broker_tells_what_nobody_took_what_is_in_hand_and_that_nothing_is_left(
    tmp_path: Path, broker: str
) -> None:
    """Without a reader all events wait; while a sidecar holds them all are left; once handled, none is."""
    async with looking(tmp_path, broker) as one:
        says = await one.rig.replica("says", hears=False)
        texts = [f'{{"id":"{number}"}}' for number in range(MANY)]
        await says.publish_all(one.rig.topic, texts)
        waiting = await one.until(lambda sight: _left(sight) == MANY)
        assert (_left(waiting), sum(left.in_hand for left in waiting.standings)) == (MANY, 0)

        one.rig.app.gate.clear()
        await one.rig.replica("hears")
        await one.rig.until(lambda: bool(one.rig.app.heard), "something was taken")
        held = await one.until(lambda sight: broker == "kafka" or sum(left.in_hand for left in sight.standings) > 0)
        assert _left(held) == MANY
        assert held.marks == waiting.marks

        one.rig.app.gate.set()
        await one.rig.until_done(texts, "all of it was handled")
        empty = await one.until(lambda sight: not _left(sight))
        assert _left(empty) == 0
        assert empty.marks == waiting.marks
        if empty.marks:
            await says.publish_all(one.rig.topic, ["one more"])
            await one.rig.until_done(["one more"], "what came afterwards")
            assert (await one.sight()).marks != waiting.marks
