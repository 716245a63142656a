"""The requirements on a broker, and other useful facts about it, each shown on the real server."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from choreography.conform.app import Received
from choreography.conform.result import Case, NotMetError, require
from choreography.conform.rig import ReplicaUnderTest, Rig
from choreography.render.components import subscription_metadata_in

_MANY: Final = 200
_FORGETS: Final = {
    "pubsub.rabbitmq": "it reports a publish as done when the connection breaks before the confirm, so a service says "
    "it again when its cause comes again, and looks after the commands it accepted"
}
"""Components that are known to confirm what may be lost, and what is done about it (choreography.sidecar.confirms)."""
_UNTIL_FORGOTTEN: Final = 20.0
_HELD: Final = 2.0
"""Seconds for which a message stays in the app's hand before anything dies: long enough for an acknowledgement that is
sent too early to reach the server, and shorter than any server waits for one that is late."""
_UNTIL_SHARED: Final = 60.0


def _texts(word: str, count: int) -> list[str]:
    return [f'{{"id":"{word}-{number}"}}' for number in range(count)]


async def comes_again_when_refused(rig: Rig) -> str:
    """The broker must redeliver an event whose handler fails once."""
    one = await rig.replica("one")
    texts = _texts("again", 10)
    failed: set[str] = set()

    def once(heard: Received) -> bool:
        first = heard.text not in failed
        failed.add(heard.text)
        return first

    rig.app.refuses = once
    await one.publish_all(rig.topic, texts)
    began = time.monotonic()
    await rig.until_done(texts, "what was refused once came again")
    return f"again after {_seconds(time.monotonic() - began)}"


async def waits_while_the_app_is_down(rig: Rig) -> str:
    """An app that restarts while its sidecar lives must lose nothing."""
    one = await rig.replica("one")
    await one.publish_all(rig.topic, _texts("before", 5))
    await rig.until_done(_texts("before", 5), "what came before")
    await rig.app.stop("one")
    texts = _texts("down", 20)
    await one.publish_all(rig.topic, texts)
    await asyncio.sleep(3)
    require(not set(texts) & set(rig.app.texts(rig.topic)), "nobody was there to take it")
    await one.start_app()
    await rig.until_done(texts, "what was published while the app was down")
    return "all of it came once the app was back"


async def comes_again_when_the_app_is_killed(rig: Rig) -> str:
    """An app that dies must get its unfinished deliveries again."""
    one = await rig.replica("one")
    texts = _texts("killed", 20)
    await _hold(rig, one, texts)
    await rig.app.stop("one")
    rig.app.gate.set()
    rig.app.done.clear()
    await one.start_app()
    await rig.until_done(texts, "what the app had in hand")
    return "all of it came again"


async def comes_again_when_the_sidecar_is_killed(rig: Rig) -> str:
    """The events that a dying sidecar holds must come again: it must acknowledge them only once handled."""
    one = await rig.replica("one")
    texts = _texts("taken", 20)
    await _hold(rig, one, texts)
    await one.process.kill()
    await rig.app.stop("one")
    rig.app.gate.set()
    rig.app.done.clear()
    began = time.monotonic()
    await one.start()
    await rig.until_done(texts, "what the sidecar had taken")
    return f"all of it came again after {_seconds(time.monotonic() - began)}"


async def _hold(rig: Rig, one: ReplicaUnderTest, texts: Sequence[str]) -> None:
    """Publish, and let the app hold the deliveries."""
    rig.app.gate.clear()
    await one.publish_all(rig.topic, texts)
    await rig.until(lambda: bool(rig.app.heard), "the app had something in hand")
    await asyncio.sleep(_HELD)


async def survives_a_restart_of_the_server(rig: Rig) -> str:
    """Acknowledged events must survive a crash of the server."""
    one, other = await rig.replica("one"), await rig.replica("other", hears=False)
    await rig.app.stop("one")
    texts = _texts("kept", 50)
    await other.publish_all(rig.topic, texts)
    server = rig.bench.server_to_kill()
    await server.kill()
    await server.start()
    await server.until_ready()
    await one.start_app()
    await rig.until_done(texts, "what was acknowledged before the crash")
    after = _texts("after", 20)
    await other.publish_all(rig.topic, after)
    await rig.until_done(after, "what was published after the restart")
    return "nothing lost; sidecars found it again by themselves"


async def two_replicas_share(rig: Rig) -> str:
    """A second replica must share the work of the first, not repeat it."""
    one = await rig.replica("one")
    await rig.replica("two")
    began, wave = time.monotonic(), 0
    # Some brokers take seconds to hand over a part of the work.
    while len(_shares(rig)) < 2 and time.monotonic() - began < _UNTIL_SHARED:
        await _spread(rig, one, _texts(f"wave-{wave}", 20))
        wave += 1
    joined = time.monotonic() - began
    rig.app.done.clear()
    await _spread(rig, one, _texts("shared", _MANY))
    shares = _shares(rig)
    require(len(shares) == 2, f"only {', '.join(shares)} got anything of {_MANY}")
    twice = sum(shares.values()) - _MANY
    require(twice < _MANY / 2, f"{twice} of {_MANY} were handled by both")
    return (
        f"{shares['one']} and {shares['two']} of {_MANY}, {twice} twice; the second had work after {_seconds(joined)}"
    )


async def _spread(rig: Rig, one: ReplicaUnderTest, texts: Sequence[str]) -> None:
    """Publish under many keys, because one key may have only one reader, and wait until everything is handled."""
    for start in range(0, len(texts), 5):
        await one.publish_all(rig.topic, texts[start : start + 5], key=f"key-{start}")
    await rig.until_done(texts, "all of it was handled")


def _shares(rig: Rig) -> Counter[str]:
    return Counter(heard.replica for heard in rig.app.done if heard.topic == rig.topic)


async def keeps_what_came_before_the_first_subscription(rig: Rig) -> str:
    """A service that is deployed late must get the events that were published before."""
    other = await rig.replica("other", hears=False)
    texts = _texts("early", 30)
    await other.publish_all(rig.topic, texts)
    await asyncio.sleep(1)
    await rig.replica("one")
    await rig.until_done(texts, "what was published before anybody subscribed")
    return "all of it"


async def poison_blocks_nobody(rig: Rig) -> str:
    """A message that is not an event must arrive, to be quarantined, and so must the events beside it."""
    one = await rig.replica("one")
    poison = [b"this is not JSON", b"\xff\xfe\x00\x01", b"[1, 2"]
    pubsub = rig.pubsub.format(topic=rig.topic)
    statuses = [await one.publish_bytes(pubsub, rig.topic, raw) for raw in poison]
    require(all(status < 300 for status in statuses), f"publishing it was answered {statuses}")
    texts = _texts("beside", 30)
    await one.publish_all(rig.topic, texts)
    await rig.until_done(texts, "its neighbours")
    beside = {text.encode() for text in texts}

    def poison_heard() -> set[bytes]:
        return {heard.raw for heard in rig.app.done} - beside

    await rig.until(lambda: len(poison_heard()) >= len(poison), "the poison itself")
    changed = len([raw for raw in poison if raw not in poison_heard()])
    how = f"{changed} of {len(poison)} changed on the way" if changed else "to the byte"
    return f"it arrived, {how}, and so did its neighbours"


async def dead_letters_arrive(rig: Rig) -> str:
    """A message that a parsing sidecar cannot read must reach the dead-letter topic, and must not vanish."""
    one = await rig.replica("one", metadata=subscription_metadata_in(rig.bench.component))
    pubsub = rig.pubsub.format(topic=rig.topic)
    raw = b"this is not JSON"
    require(await one.publish_bytes(pubsub, rig.topic, raw) < 300, "it could not be published")
    await rig.until(
        lambda: any(raw in heard.raw or heard.topic == rig.dead_letter_topic for heard in rig.app.done),
        "the dead letter",
    )
    return "it came to the topic for what could not be handed over"


async def a_stopped_server_is_told(rig: Rig) -> str:
    """A publisher must get an error while the server is stopped, and be served once the server is back."""
    one = await rig.replica("one")
    await one.publish_all(rig.topic, _texts("before", 3))
    server = rig.bench.server_to_kill()
    await server.kill()
    began = time.monotonic()
    try:
        failed = await one.publish(rig.topic, *_texts("away", 3))
        took = time.monotonic() - began
    finally:
        await server.start()
        await server.until_ready()
    require(failed == {0, 1, 2}, f"of three events it confirmed {3 - len(failed)} although nobody took them")
    texts = _texts("back", 5)
    await one.publish_all(rig.topic, texts)
    await rig.until_done(texts, "what was published once it was back")
    return f"told after {_seconds(took)}, and served again by itself"


async def keeps_what_it_confirmed_while_it_crashed(rig: Rig) -> str:
    """A publish during a crash of the server must be confirmed only if the event is kept."""
    server = rig.bench.server_to_kill()
    one, other = await rig.replica("one"), await rig.replica("other", hears=False)
    confirmed: list[str] = []

    async def say(lane: int) -> None:
        for number in range(60):
            texts = _texts(f"lane-{lane}-{number}", 5)
            failed = await other.publish(rig.topic, *texts, key=f"lane-{lane}")
            confirmed.extend(text for index, text in enumerate(texts) if index not in failed)
            if failed:
                return

    saying = [asyncio.create_task(say(lane)) for lane in range(8)]
    await asyncio.sleep(0.15)
    await server.kill()
    await asyncio.gather(*saying)
    await server.start()
    await server.until_ready()
    await other.publish_all(rig.topic, _texts("after", 5))
    await rig.until_done(_texts("after", 5), "what was published once it was back")
    kind = str(rig.bench.component["spec"]["type"])
    try:
        await rig.until_done(confirmed, "all that was confirmed", _UNTIL_FORGOTTEN if kind in _FORGETS else None)
    except NotMetError:
        lost = len(set(confirmed) - set(rig.app.texts(rig.topic)))
        require(kind in _FORGETS, f"{lost} of {len(confirmed)} confirmed events never came")
        return f"{lost} of {len(confirmed)} confirmed events never came: {_FORGETS[kind]}"
    require(bool(one.process.running), "the sidecar died")
    return f"all {len(confirmed)} confirmed events came"


async def order_and_duplicates(rig: Rig) -> str:
    """The number of events that come out of order, or twice, without any failure."""
    one = await rig.replica("one")
    texts = _texts("order", _MANY)
    for start in range(0, _MANY, 50):
        await one.publish_all(rig.topic, texts[start : start + 50])
    await rig.until_done(texts, "all of it was handled")
    await asyncio.sleep(1)
    seen = [text for text in rig.app.texts(rig.topic) if "order" in text]
    first = list(dict.fromkeys(seen))
    turned = sum(before > after for before, after in pairwise([texts.index(text) for text in first]))
    return f"{turned} of {_MANY} out of order for one key, {len(seen) - len(first)} twice"


async def batches_fill(rig: Rig) -> str:
    """The number of messages in one request when many wait."""
    other = await rig.replica("other", hears=False)
    texts = _texts("many", 5 * _MANY)
    await other.publish_all(rig.topic, texts)
    began = time.monotonic()
    await rig.replica("one")
    await rig.until_done(texts, "all of it was handled")
    batches = [heard.batch for heard in rig.app.done if heard.topic == rig.topic]
    rate = len(texts) / (time.monotonic() - began)
    mean = sum(batches) / len(batches)
    return f"up to {max(batches)} at once, {mean:.0f} on average; {rate:.0f} a second with the start"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s"


BROKER_CASES: Final[Sequence[Case]] = (
    Case("a message that was refused comes again", comes_again_when_refused),
    Case("a message waits while the app is down", waits_while_the_app_is_down),
    Case("a message comes again when the app is killed over it", comes_again_when_the_app_is_killed),
    Case("a message comes again when the sidecar is killed over it", comes_again_when_the_sidecar_is_killed),
    Case("what was acknowledged survives a crash of the server", survives_a_restart_of_the_server),
    Case("two replicas share the work", two_replicas_share),
    Case("what came before the first subscription is heard", keeps_what_came_before_the_first_subscription),
    Case("poison arrives and blocks nobody", poison_blocks_nobody),
    Case("a dead letter arrives", dead_letters_arrive),
    Case("a server that is away is told to whoever publishes", a_stopped_server_is_told),
    Case("what was confirmed while the server crashed arrives", keeps_what_it_confirmed_while_it_crashed, must=False),
    Case("order and duplicates", order_and_duplicates, must=False),
    Case("size of batches", batches_fill, must=False),
)
