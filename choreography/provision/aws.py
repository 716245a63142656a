"""SNS and SQS: an SNS topic for every topic, a queue for every service, and the subscriptions between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from choreography.broker_names import aws_name
from choreography.provision.aws_account import Account, account_at
from choreography.provision.layout import BrokerLayout, ProvisionError

_FORTNIGHT: Final = str(14 * 24 * 3600)
"""The longest that SQS keeps a message; its default is four days."""


async def provision(layout: BrokerLayout, address: str, *, partitions: int, copies: int) -> Sequence[str]:  # noqa: ARG001
    """Make topics, queues, their policies and subscriptions. AWS keeps its own copies."""
    account = account_at(address)
    try:
        async with AsyncExitStack() as closing:
            sns, sqs = [await closing.enter_async_context(client_of(name, account)) for name in ("sns", "sqs")]
            topics = {topic: await _topic(sns, topic) for topic in layout.topics}
            return [
                sentence
                for app, heard in by_app(layout)
                for sentence in await _connected(
                    sns, sqs, aws_name(layout.known_as(app)), {topic: topics[topic] for topic in heard}
                )
            ]
    except (BotoCoreError, ClientError, OSError) as error:
        raise ProvisionError(
            f"AWS in {account.region} did not make topics and queues: {error}. Is it there, may we?"
        ) from error


def client_of(name: str, account: Account) -> Any:
    """Return a client for one service of AWS, as an asynchronous context manager."""
    return get_session().create_client(
        name,
        region_name=account.region,
        endpoint_url=account.endpoint,
        aws_access_key_id=account.access_key,
        aws_secret_access_key=account.secret_key,
        config=AioConfig(connect_timeout=5, read_timeout=30, retries={"mode": "standard"}),
    )


def by_app(layout: BrokerLayout) -> Iterator[tuple[str, list[str]]]:
    """Yield every app with all its topics, which share one queue."""
    for app in sorted({app for app, _ in layout.hearers}):
        yield app, [topic for hearer, topic in layout.hearers if hearer == app]


async def _topic(sns: Any, topic: str) -> str:
    return str((await sns.create_topic(Name=aws_name(topic)))["TopicArn"])


async def _connected(sns: Any, sqs: Any, queue: str, topics: Mapping[str, str]) -> Sequence[str]:
    url, arn, policy = await _queue(sqs, queue)
    statements: list[Any] = policy.setdefault("Statement", [])
    missing = [wanted for topic in topics.values() if (wanted := _lets_in(arn, topic)) not in statements]
    if missing:
        statements += missing
        await sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    # First the queue allows the topic, then the topic sends.
    for topic in topics.values():
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    return [f"SQS queue {queue} on SNS topic {topic}" for topic in topics]


async def _queue(sqs: Any, name: str) -> tuple[str, str, dict[str, Any]]:
    try:
        url = (await sqs.get_queue_url(QueueName=name))["QueueUrl"]
    except ClientError as error:
        if not str(error.response["Error"]["Code"]).endswith(("QueueDoesNotExist", "NonExistentQueue")):
            raise
        url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
    await sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": _FORTNIGHT})
    found = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "Policy"]))["Attributes"]
    policy = json.loads(found.get("Policy") or '{"Version": "2012-10-17"}')
    return url, found["QueueArn"], policy


def _lets_in(queue: str, topic: str) -> dict[str, Any]:
    """Return the policy statement in the form of the component."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
