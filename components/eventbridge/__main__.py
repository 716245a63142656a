"""``python -m eventbridge`` serves the component; ``provision`` makes what it will need, ``count`` what is left in it.

Both read a JSON object from standard input: ``{"settings": {...}, "subscriptions": [["app", "topic"], ...]}``.
``provision`` says in a line each what is there now, ``count`` as JSON what waits and what was taken but not deleted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import Final

from .aws import Aws
from .errors import AWS_FAILURES, ComponentError, explain
from .queues import ensure_subscription, left_in
from .server import serve, socket_path
from .settings import read_settings


async def _provision() -> None:
    asked = json.load(sys.stdin)
    for consumer, topic in asked["subscriptions"]:
        settings = read_settings({**asked["settings"], "consumerID": consumer})
        async with Aws(settings) as aws:
            queue = await ensure_subscription(aws, settings, topic)
        sys.stdout.write(f"EventBridge rule and queue {queue.name} on bus {settings.bus}\n")


async def _count() -> None:
    asked = json.load(sys.stdin)
    settings = read_settings({**asked["settings"], "consumerID": "nobody"})
    async with Aws(settings) as aws:
        for consumer, topic in asked["subscriptions"]:
            waiting, in_hand = await left_in(aws, settings.of(consumer), topic)
            told = {"app": consumer, "topic": topic, "waiting": waiting, "in_hand": in_hand}
            sys.stdout.write(f"{json.dumps(told)}\n")


_COMMANDS: Final = {"provision": _provision, "count": _count}


def main(arguments: list[str]) -> int:
    """Do what was asked; 1 is a failure that was told, 2 a command that is not known."""
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if arguments and (len(arguments) > 1 or arguments[0] not in _COMMANDS):
        known = " or ".join(f"`{name}`" for name in _COMMANDS)
        sys.stderr.write(f"{' '.join(arguments)!r} is no command. Give none to serve, or {known}.\n")
        return 2
    try:
        asyncio.run(_COMMANDS[arguments[0]]() if arguments else serve(socket_path()))
    except ComponentError as error:
        sys.stderr.write(f"{error}\n")
    except AWS_FAILURES as error:
        sys.stderr.write(f"AWS did not do it: {explain(error)}\n")
    else:
        return 0
    return 1


sys.exit(main(sys.argv[1:]))
