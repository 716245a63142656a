"""Makes what a subscription needs: bus, dead letter queue, queue and rule. Each may be there already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from .aws import LOG, Aws
from .errors import queue_is_gone
from .names import queue_name, subscription_name
from .settings import Settings

_FORTNIGHT: Final = str(14 * 24 * 3600)
"""The longest that SQS keeps a message; its default is four days."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of SQS."""

    name: str
    url: str
    arn: str


async def ensure_bus(aws: Aws, settings: Settings) -> None:
    """Make the bus if it is missing: what is put on a bus that is not there is lost.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    if settings.bus == "default" or not settings.provision:
        return
    try:
        await aws.events.create_event_bus(Name=settings.bus)
    except aws.events.exceptions.ResourceAlreadyExistsException:
        return
    LOG.info("event bus %s was made", settings.bus)


async def ensure_subscription(aws: Aws, settings: Settings, topic: str, pattern: str = "") -> Queue:
    """Make the queue by which one consumer hears one topic, and the rule that fills it, as the settings say.

    A rule of its own for every consumer: AWS lets a rule have five targets, and that quota cannot be raised.

    Args:
        aws: the connection.
        settings: of the component.
        topic: what is heard.
        pattern: an event pattern to hear instead of what is published to the topic through Dapr.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    name = subscription_name(settings.consumer, topic)
    if not settings.provision:
        return await _described(aws, name, await _url(aws, name))
    await ensure_bus(aws, settings)
    dead = await _ensure_queue(aws, queue_name(settings.dead_letter_queue)) if settings.max_receives else None
    queue = await _ensure_queue(aws, name)
    rule: str = (
        await aws.events.put_rule(
            Name=name,
            EventBusName=settings.bus,
            EventPattern=pattern or json.dumps({"source": [settings.source], "detail-type": [topic]}),
            State="ENABLED",
            Description=f"{topic} for {settings.consumer} (Dapr)"[:512],
        )
    )["RuleArn"]
    # The queue first lets the rule in, then the rule sends: the other way round, what comes in between is lost.
    redrive = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": settings.max_receives} if dead else None
    await aws.sqs.set_queue_attributes(
        QueueUrl=queue.url,
        Attributes={
            "VisibilityTimeout": str(settings.visibility_timeout),
            "MessageRetentionPeriod": _FORTNIGHT,
            "Policy": _lets_in(queue.arn, rule),
            "RedrivePolicy": json.dumps(redrive) if redrive else "",
        },
    )
    if dead:
        # Every rule of the bus, as all subscriptions share this queue and each would overwrite the policy of the last.
        rules = rule.removesuffix(name) + "*"
        await aws.sqs.set_queue_attributes(QueueUrl=dead.url, Attributes={"Policy": _lets_in(dead.arn, rules)})
    # What EventBridge itself cannot deliver within a day goes to the same place instead of nowhere.
    target = {"Id": "queue", "Arn": queue.arn, **({"DeadLetterConfig": {"Arn": dead.arn}} if dead else {})}
    answer = await aws.events.put_targets(Rule=name, EventBusName=settings.bus, Targets=[target])
    if answer.get("FailedEntryCount"):
        failed = answer["FailedEntries"][0]
        raise OSError(f"The rule {name} did not take its queue: {failed.get('ErrorCode')} {failed.get('ErrorMessage')}")
    return queue


async def left_in(aws: Aws, consumer: str, topic: str) -> tuple[int, int]:
    """Return how many messages wait for a consumer of a topic, and how many it took but did not delete.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    url = await _url(aws, subscription_name(consumer, topic))
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "Delayed", "NotVisible")]
    counts = (await aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names))["Attributes"]
    waiting, delayed, taken = (int(counts[name]) for name in names)
    return waiting + delayed, taken


async def _ensure_queue(aws: Aws, name: str) -> Queue:
    try:
        url = await _url(aws, name)
    except aws.sqs.exceptions.ClientError as error:
        if not queue_is_gone(error):
            raise
        answer = await aws.sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": _FORTNIGHT})
        url = answer["QueueUrl"]
        LOG.info("queue %s was made", name)
    return await _described(aws, name, url)


async def _url(aws: Aws, name: str) -> str:
    return str((await aws.sqs.get_queue_url(QueueName=name))["QueueUrl"])


async def _described(aws: Aws, name: str, url: str) -> Queue:
    answer = await aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return Queue(name, url, answer["Attributes"]["QueueArn"])


def _lets_in(queue: str, rules: str) -> str:
    statement = {
        "Sid": "EventBridge",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnLike": {"aws:SourceArn": rules}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
