"""A thief with the login of a service, who connects to the broker without its sidecar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

import aio_pika
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from aiormq.exceptions import ChannelAccessRefused
from nats.aio.client import Client
from nats.errors import Error
from nats.errors import TimeoutError as NatsTimeoutError
from redis.exceptions import NoPermissionError

from choreography.broker_names import pull_consumer_name, stream_name


class Refused(Exception):  # noqa: N818 - an answer that is expected
    """The broker did not let somebody do something."""


class Thief(Protocol):
    """One login of one broker."""

    async def publish(self, topic: str, message: bytes) -> None:
        """Put a message on a topic, or raise Refused."""

    async def read(self, topic: str) -> None:
        """Take unread events from a topic, or raise Refused."""

    async def __aenter__(self) -> Self:
        """Log in."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out."""


class OnRedis:
    """A user of Redis."""

    def __init__(self, address: str, login: Mapping[str, str]) -> None:
        host, _, port = address.partition(":")
        self._client = redis.asyncio.Redis(
            host=host, port=int(port), username=login["REDIS_USERNAME"], password=login["REDIS_PASSWORD"]
        )

    async def __aenter__(self) -> Self:
        await self._client.ping()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def publish(self, topic: str, message: bytes) -> None:
        """Add to a stream."""
        try:
            await self._client.xadd(topic, {"data": message})
        except NoPermissionError as error:
            raise Refused(str(error)) from error

    async def read(self, topic: str) -> None:
        """Become a reader of a stream."""
        try:
            await self._client.xgroup_create(topic, "inventory", "0")
        except NoPermissionError as error:
            raise Refused(str(error)) from error


class OnNats:
    """A user of NATS. What it may not do, the server says beside the connection and not in an answer."""

    def __init__(self, _: str, login: Mapping[str, str]) -> None:
        self._address = login["NATS_URL"]
        self._client = Client()
        self._refusals: list[str] = []

    async def __aenter__(self) -> Self:
        await self._client.connect(self._address, error_cb=self._refused, allow_reconnect=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def _refused(self, error: Exception) -> None:
        self._refusals.append(str(error))

    async def publish(self, topic: str, message: bytes) -> None:
        """Publish to the stream of a subject, which answers when it has the message."""
        await self._asked(topic, message)

    async def read(self, topic: str) -> None:
        """Make a consumer on the stream of a topic, as a sidecar does that finds none."""
        stream = stream_name(topic)
        await self._asked(f"$JS.API.CONSUMER.CREATE.{stream}.mine", b"{}")

    async def _asked(self, subject: str, message: bytes) -> None:
        try:
            await self._client.request(subject, message, timeout=1)
        except (NatsTimeoutError, Error) as error:
            if any("permissions violation" in refusal.lower() for refusal in self._refusals):
                raise Refused(self._refusals[-1]) from error
            raise


class OnNatsToPull(OnNats):
    """A user of NATS by our own component, who may listen to no inbox but its own."""

    async def __aenter__(self) -> Self:
        await self._client.connect(
            self._address, error_cb=self._refused, allow_reconnect=False, inbox_prefix="_INBOX.inventory"
        )
        return self

    async def read(self, topic: str) -> None:
        """Pull from the consumer of an app that hears the topic."""
        consumer = pull_consumer_name("order", topic)
        await self._asked(f"$JS.API.CONSUMER.MSG.NEXT.{stream_name(topic)}.{consumer}", b"1")


class OnRabbitMQ:
    """A user of RabbitMQ."""

    def __init__(self, _: str, login: Mapping[str, str]) -> None:
        self._address = login["RABBITMQ_CONNECTION"]

    async def __aenter__(self) -> Self:
        self._connection = await aio_pika.connect(self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    async def publish(self, topic: str, message: bytes) -> None:
        """Publish to an exchange, and wait for the confirm."""
        try:
            async with self._connection.channel() as channel:
                exchange = await channel.get_exchange(topic, ensure=False)
                await exchange.publish(aio_pika.Message(message), routing_key="")
        except ChannelAccessRefused as error:
            raise Refused(str(error)) from error

    async def read(self, topic: str) -> None:
        """Bind a queue of its own to an exchange."""
        try:
            async with self._connection.channel() as channel:
                queue = await channel.get_queue("inventory-checkout.stock.added", ensure=False)
                await queue.bind(topic, routing_key="")
        except ChannelAccessRefused as error:
            raise Refused(str(error)) from error


class OnKafka:
    """A user of Kafka."""

    def __init__(self, _: str, login: Mapping[str, str]) -> None:
        self._login = {
            "bootstrap_servers": login["KAFKA_BROKERS"],
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": login["KAFKA_USERNAME"],
            "sasl_plain_password": login["KAFKA_PASSWORD"],
        }

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(**self._login, request_timeout_ms=5000)
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def publish(self, topic: str, message: bytes) -> None:
        """Publish to a topic."""
        try:
            await self._producer.send_and_wait(topic, message)
        except TopicAuthorizationFailedError as error:
            raise Refused(str(error)) from error

    async def read(self, topic: str) -> None:
        """Look for a topic; Kafka hides from a user what it may not use."""
        consumer = AIOKafkaConsumer(**self._login)
        await consumer.start()
        try:
            if topic not in await consumer.topics():
                raise Refused(f"{topic} is not there for this user")
        finally:
            await consumer.stop()


THIEVES: Mapping[str, Callable[[str, Mapping[str, str]], Thief]] = {
    "redis": OnRedis,
    "nats": OnNats,
    "nats-pull": OnNatsToPull,
    "rabbitmq": OnRabbitMQ,
    "kafka": OnKafka,
}
