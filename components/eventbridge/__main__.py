"""``python -m components.eventbridge`` serves; ``provision`` makes rules and queues, ``count`` counts messages.

Both commands read a JSON object from standard input: ``{"settings": {...}, "subscriptions": [["app", "topic"], ...]}``.
``provision`` prints a line for everything that exists now; ``count`` prints as JSON the messages that wait and those
that were taken but not deleted.
"""

from __future__ import annotations

import json
import sys
from typing import Final

from components.pluggable.command import Asked, run

from .aws import Aws
from .errors import AWS_FAILURES, explain
from .queues import ensure_subscription, left_in
from .settings import read_settings

SIDECAR: Final = "EVENTBRIDGE_SIDECAR"
"""The variable with the address of the sidecar's HTTP API, such as ``http://127.0.0.1:3500``."""


async def _serve() -> None:
    # A process that only provisions needs no gRPC.
    from components.pluggable.server import serve  # noqa: PLC0415
    from components.pluggable.service import PubSubService  # noqa: PLC0415

    from .instance import open_instance  # noqa: PLC0415

    # The second name is the type that the component had up to version 0.1.0.
    await serve(PubSubService(open_instance), ("aws.eventbridge", "eventbridge"), SIDECAR)


async def _provision(asked: Asked) -> None:
    for consumer, topic in asked.subscriptions:
        settings = read_settings({**asked.settings, "consumerID": consumer})
        async with Aws(settings) as aws:
            queue = await ensure_subscription(aws, settings, topic)
        sys.stdout.write(f"EventBridge rule and queue {queue.name} on bus {settings.bus}\n")


async def _count(asked: Asked) -> None:
    settings = read_settings({**asked.settings, "consumerID": "nobody"})
    async with Aws(settings) as aws:
        for consumer, topic in asked.subscriptions:
            waiting, in_hand = await left_in(aws, settings.of(consumer), topic)
            told = {"app": consumer, "topic": topic, "waiting": waiting, "in_hand": in_hand}
            sys.stdout.write(f"{json.dumps(told)}\n")


sys.exit(run(sys.argv[1:], _serve, {"provision": _provision, "count": _count}, AWS_FAILURES, explain))
