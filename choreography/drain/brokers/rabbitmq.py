"""RabbitMQ: the ready messages of every queue, and those that were delivered but not acknowledged.

AMQP reports only ready messages. The management plugin also reports the messages that sidecars hold, so it is asked for
both.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from choreography.drain.sight import DrainError, Sight, Standing, UnknownYetError, Where
from choreography.provision import BrokerLayout
from choreography.render.brokers import BROKERS

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)


def settles(_: Where) -> float:
    """Queues report every five seconds, and the plugin's figures are that old; this is more than twice as long."""
    return 12.0


async def look(layout: BrokerLayout, where: Where) -> Sight:
    """Ask for every queue. An exchange keeps no message without a queue, so nothing is known of such messages."""
    url, vhost = management_at(where)
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            queues = await _queues(session, f"{url}/api/queues/{quote(vhost, safe='')}")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise DrainError(
            f"RabbitMQ's management plugin did not answer ({type(error).__name__}: {error}), and AMQP does not tell "
            "what sidecars hold. Enable it (rabbitmq-plugins enable rabbitmq_management), or say where it is: "
            "--management http://user:password@host:15672."
        ) from error
    return Sight(tuple(_standing(app, topic, queues.get(f"{app}-{topic}")) for app, topic in layout.hearers))


def management_at(where: Where) -> tuple[str, str]:
    """Return the URL of the management plugin, credentials included, and the virtual host.

    Without a given URL, the plugin is on the same host, at the usual port, with the same user.
    """
    amqp = urlsplit(where.address)
    vhost = unquote(amqp.path.removeprefix("/")) or "/"
    if where.management:
        return where.management.rstrip("/"), vhost
    login = f"{amqp.username}:{amqp.password}@" if amqp.username else ""
    return f"http://{login}{amqp.hostname}:{BROKERS['rabbitmq'].management}", vhost


async def _queues(session: aiohttp.ClientSession, url: str) -> dict[str, dict[str, Any]]:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return {str(one["name"]): one for one in await answer.json()}


def _standing(app: str, topic: str, queue: dict[str, Any] | None) -> Standing:
    if queue is None:
        raise DrainError(
            f"RabbitMQ has no queue {app}-{topic}, so {app} never heard {topic}, or these files are another flow's. "
            "Name the folder with which the services run, or run `choreography provision` with it."
        )
    if "messages_unacknowledged" not in queue:
        # A new queue has not reported yet; neither has one whose node is away.
        raise UnknownYetError(f"RabbitMQ does not say yet what is in the queue {app}-{topic}, which may be full.")
    return Standing(app, topic, int(queue["messages_ready"]), int(queue["messages_unacknowledged"]))
