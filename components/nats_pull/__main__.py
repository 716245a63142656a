"""``python -m components.nats_pull`` serves the component; ``provision`` makes streams, ``count`` counts messages.

Both commands read a JSON object from standard input: ``{"settings": {...}, "subscriptions": [["app", "topic"], ...]}``,
and ``"topics": [...]`` with all topics, including those without a subscriber. ``provision`` prints a line for
everything that it made and for every difference; ``count`` prints as JSON the messages that wait and those that were
taken but not acknowledged.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Final

from components.nats_pull.connection import Nats
from components.nats_pull.errors import NATS_FAILURES, explain
from components.nats_pull.names import consumer_name, stream_name
from components.nats_pull.settings import read_settings
from components.nats_pull.streams import Ensured, ensure_consumer, ensure_stream, left_in
from components.pluggable.command import Asked, run

SIDECAR: Final = "NATS_PULL_SIDECAR"
"""The variable with the address of the sidecar's HTTP API, such as ``http://127.0.0.1:3500``."""

_NOBODY: Final = "provision"
"""As whom an administrator connects, who subscribes to nothing."""


async def _serve() -> None:
    # A process that only provisions needs no gRPC.
    from components.nats_pull.instance import open_instance  # noqa: PLC0415
    from components.pluggable.server import serve  # noqa: PLC0415
    from components.pluggable.service import PubSubService  # noqa: PLC0415

    await serve(PubSubService(open_instance), ("nats-pull",), SIDECAR)


async def _provision(asked: Asked) -> None:
    settings = replace(read_settings({"consumerID": _NOBODY, **asked.settings}), provision=True)
    async with Nats(settings) as nats:
        await nats.see_login()
        topics = {*asked.more.get("topics", ()), *(topic for _, topic in asked.subscriptions)}
        for topic in sorted(topics):
            _say(await ensure_stream(nats, settings, topic), f"NATS stream {stream_name(topic)} of {topic}")
        for consumer, topic in asked.subscriptions:
            made = f"NATS consumer {consumer_name(consumer, topic)} on stream {stream_name(topic)}"
            _say(await ensure_consumer(nats, replace(settings, consumer=consumer), topic), made)


def _say(ensured: Ensured, made: str) -> None:
    for sentence in (made,) * ensured.is_new + ensured.differs:
        sys.stdout.write(f"{sentence}\n")


async def _count(asked: Asked) -> None:
    settings = read_settings({"consumerID": _NOBODY, **asked.settings})
    async with Nats(settings) as nats:
        await nats.see_login()
        for topic in asked.more.get("topics", ()):
            state = (await nats.streams.stream_info(stream_name(topic))).state
            sys.stdout.write(f"{json.dumps({'topic': topic, 'kept': state.messages, 'last': state.last_seq})}\n")
        for consumer, topic in asked.subscriptions:
            waiting, in_hand = await left_in(nats, consumer, topic)
            told = {"app": consumer, "topic": topic, "waiting": waiting, "in_hand": in_hand}
            sys.stdout.write(f"{json.dumps(told)}\n")


sys.exit(run(sys.argv[1:], _serve, {"provision": _provision, "count": _count}, NATS_FAILURES, explain))
