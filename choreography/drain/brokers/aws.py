"""SNS and SQS: the counts of every queue. Each service has one queue for all its topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from choreography.broker_names import aws_name
from choreography.drain.sight import DrainError, Sight, Standing, Where
from choreography.provision import BrokerLayout
from choreography.provision.aws import by_app, client_of
from choreography.provision.aws_account import account_at

WAITING: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
IN_HAND: Final = "ApproximateNumberOfMessagesNotVisible"


def settles(where: Where) -> float:
    """AWS says that its counts are exact one minute after the last message is sent. An emulator's are exact at once."""
    return 65.0 if account_at(where.address).endpoint is None else 1.0


async def look(layout: BrokerLayout, where: Where) -> Sight:
    """Ask every queue. SNS keeps no message without a subscriber, so nothing is known of such messages."""
    account = account_at(where.address)
    try:
        async with client_of("sqs", account) as sqs:
            queues = [(app, aws_name(layout.known_as(app)), topics) for app, topics in by_app(layout)]
            return Sight(tuple([await _standing(sqs, app, queue, topics) for app, queue, topics in queues]))
    except (BotoCoreError, ClientError, OSError) as error:
        raise DrainError(
            f"AWS in {account.region} did not say what its queues hold: {error}. Is it there, may we?"
        ) from error


async def _standing(sqs: Any, app: str, queue: str, topics: list[str]) -> Standing:
    url = (await sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[*WAITING, IN_HAND])
    counts: Mapping[str, str] = answer["Attributes"]
    return Standing(app, ", ".join(topics), sum(int(counts[name]) for name in WAITING), int(counts[IN_HAND]))
