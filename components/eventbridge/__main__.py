"""``python -m eventbridge`` serves the component; ``python -m eventbridge provision`` makes what it will need.

``provision`` reads a JSON object from standard input: ``{"settings": {...}, "subscriptions": [["app", "topic"], ...]}``
and says in a line each what is there now.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

from .aws import Aws
from .errors import AWS_FAILURES, ComponentError, explain
from .queues import ensure_subscription
from .server import serve, socket_path
from .settings import read_settings


async def _provision() -> None:
    asked = json.load(sys.stdin)
    for consumer, topic in asked["subscriptions"]:
        settings = read_settings({**asked["settings"], "consumerID": consumer})
        async with Aws(settings) as aws:
            queue = await ensure_subscription(aws, settings, topic)
        sys.stdout.write(f"EventBridge rule and queue {queue.name} on bus {settings.bus}\n")


def main(arguments: list[str]) -> int:
    """Do what was asked; 1 is a failure that was told, 2 a command that is not known."""
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if arguments not in ([], ["provision"]):
        sys.stderr.write(f"{' '.join(arguments)!r} is no command. Give none to serve, or `provision`.\n")
        return 2
    try:
        asyncio.run(_provision() if arguments else serve(socket_path()))
    except ComponentError as error:
        sys.stderr.write(f"{error}\n")
    except AWS_FAILURES as error:
        sys.stderr.write(f"AWS did not do it: {explain(error)}\n")
    else:
        return 0
    return 1


sys.exit(main(sys.argv[1:]))
