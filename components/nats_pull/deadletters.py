"""The stream for messages that fail too often: a message is published there before it is terminated."""

from __future__ import annotations

from nats.js.api import Header

from components.nats_pull.connection import Nats
from components.nats_pull.errors import NATS_FAILURES, explain
from components.nats_pull.inhand import Taken
from components.nats_pull.settings import Settings
from components.nats_pull.streams import ensure_stream
from components.pluggable.log import LOG


class DeadLetters:
    """The dead letter topic of one app.

    The component keeps dead letters, not the server: when a server gives a message up, it sends one advisory, which
    nobody may receive.
    """

    def __init__(self, nats: Nats, settings: Settings) -> None:
        self._nats, self._settings = nats, settings

    def is_due(self, deliveries: int) -> bool:
        """Tell whether a failed message was delivered often enough."""
        return 0 < self._settings.max_deliver <= deliveries

    async def prepare(self) -> None:
        """Make the stream for dead letters, if there can be any.

        Raises:
            UnfitError: the stream is missing and may not be made, or would lose messages.
            NATS_FAILURES: NATS refused or did not answer.
        """
        if self._settings.max_deliver:
            await ensure_stream(self._nats, self._settings, self._settings.dead_letter_topic)

    async def take(self, topic: str, message: Taken, why: str) -> bool:
        """Publish a message to the stream. False: this failed, so the message must be delivered again."""
        dead = self._settings.dead_letter_topic
        headers = {
            # The stream stores the same message once, even if the next step fails.
            Header.MSG_ID: f"{topic}/{message.sequence}",
            "Topic": topic,
            "Consumer": self._settings.consumer,
            "Deliveries": str(message.deliveries),
            "Reason": " ".join(why.split())[:200],
        }
        try:
            await self._nats.streams.publish(dead, message.data, headers=headers)
        except NATS_FAILURES as error:
            LOG.warning("message %d of %s was not kept in %s: %s", message.sequence, topic, dead, explain(error))
            return False
        LOG.warning(
            "message %d of %s failed %d times and is kept in %s: %s",
            *(message.sequence, topic, message.deliveries, dead, why),
        )
        return True
