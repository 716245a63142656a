"""The messages that one subscription has taken and not yet acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .aws import LOG, Aws, patiently
from .errors import AWS_FAILURES, explain, queue_is_gone

_CALL: Final = 10
"""How many messages one call of SQS may name."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was read from a queue.

    Attributes:
        message_id: the message id of SQS.
        receipt: the handle that deletes this copy of it.
        body: the event, as EventBridge wrote it.
        receives: the number of its reads so far.
    """

    message_id: str
    receipt: str
    body: str
    receives: int


class InFlight:
    """Hides messages from other readers, until they are acknowledged or given back."""

    def __init__(self, aws: Aws, queue_url: str, visibility_timeout: int, most: int) -> None:
        self._aws, self._url, self._visibility = aws, queue_url, visibility_timeout
        self._most = most
        self._taken: dict[str, Taken] = {}
        self._changed = asyncio.Event()
        self._acknowledged: list[Taken] = []
        self._wake = asyncio.Event()
        self._all_deleted = asyncio.Event()
        self._all_deleted.set()

    def __len__(self) -> int:
        return len(self._taken)

    async def room(self) -> int:
        """Wait until another message may be taken, and return how many messages one read may return."""
        while len(self._taken) >= self._most:
            self._changed.clear()
            await self._changed.wait()
        return min(_CALL, self._most - len(self._taken))

    def take(self, delivery: str, message: Taken) -> None:
        """Record a message under the id of its delivery."""
        self._taken[delivery] = message

    def acknowledge(self, delivery: str) -> None:
        """Mark a message for deletion, which follows soon."""
        if message := self._leave(delivery):
            self._acknowledged.append(message)
            self._all_deleted.clear()
            self._wake.set()

    async def give_back(self, delivery: str) -> None:
        """Release a failed message for another read: after a second, and twice as long after each further failure."""
        if message := self._leave(delivery):
            later = min(2 ** min(message.receives - 1, 16), self._visibility)
            await self._show([message], later)

    async def keep(self) -> None:
        """Extend the invisibility of the messages in hand, again and again. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(self._visibility / 3)
            await self._show(list(self._taken.values()), self._visibility)

    async def delete(self) -> None:
        """Delete the acknowledged messages, several in a call if there are several. Runs until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._acknowledged:
                batch, self._acknowledged = self._acknowledged[:_CALL], self._acknowledged[_CALL:]
                await self._delete(batch)
            self._all_deleted.set()

    async def close(self, within: float) -> None:
        """Delete the acknowledged messages and give back the rest, as far as AWS answers in time."""
        try:
            async with asyncio.timeout(within):
                await self._all_deleted.wait()
                await self._show(list(self._taken.values()), 0)
        except TimeoutError:
            LOG.warning("AWS did not answer in time; %d messages will be delivered again", len(self._taken))

    def _leave(self, delivery: str) -> Taken | None:
        self._changed.set()
        return self._taken.pop(delivery, None)

    async def _delete(self, batch: list[Taken]) -> None:
        entries = [{"Id": str(place), "ReceiptHandle": one.receipt} for place, one in enumerate(batch)]

        async def once() -> Mapping[str, Any]:
            try:
                answer: Mapping[str, Any] = await self._aws.sqs.delete_message_batch(
                    QueueUrl=self._url, Entries=entries
                )
            except AWS_FAILURES as error:
                if queue_is_gone(error):
                    return {}  # and the messages with it
                raise
            return answer

        answer = await patiently(f"deleting from {self._url}", once)
        for failed in answer.get("Failed", ()):
            # Too late: the message was visible again, so another reader has a copy of it, or will have one.
            LOG.warning("message %s will be delivered again: %s", batch[int(failed["Id"])].message_id, failed)

    async def _show(self, messages: list[Taken], after: int) -> None:
        """Make messages visible to others after some seconds. If AWS does not answer, their timeout does so."""
        for start in range(0, len(messages), _CALL):
            entries = [
                {"Id": str(place), "ReceiptHandle": one.receipt, "VisibilityTimeout": after}
                for place, one in enumerate(messages[start : start + _CALL])
            ]
            try:
                await self._aws.sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            except AWS_FAILURES as error:
                LOG.warning("the time of %d messages was not changed: %s", len(entries), explain(error))
