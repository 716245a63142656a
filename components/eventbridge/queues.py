"""Makes the parts of a subscription: bus, dead letter queue, queue and rule. Each of them may exist already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .aws import LOG, Aws
from .errors import AWS_FAILURES, code_of, explain, is_missing, queue_is_gone
from .names import former_name, own_type, queue_name, subscription_name
from .settings import Settings

_FORTNIGHT: Final = str(14 * 24 * 3600)
"""The longest that SQS keeps a message; its default is four days."""

_OURS: Final = "EventBridge"
"""The id of our statement in the policy of a queue."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of SQS."""

    name: str
    url: str
    arn: str


async def ensure_bus(aws: Aws, settings: Settings) -> bool:
    """Make the bus if it is missing: an event for a missing bus is lost.

    Returns:
        Whether it was made just now; then it has no rules.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    if settings.bus == "default" or not settings.provision:
        return False
    try:
        await aws.events.create_event_bus(Name=settings.bus)
    except aws.events.exceptions.ResourceAlreadyExistsException:
        return False
    LOG.info("event bus %s was made", settings.bus)
    return True


async def ensure_subscription(aws: Aws, settings: Settings, topic: str, pattern: str = "") -> Queue:
    """Make the queue of one consumer and one topic, and the rule that fills it, as the settings say.

    Every consumer has a rule of its own: AWS allows five targets for a rule, and this quota cannot be raised.

    Args:
        aws: the connection.
        settings: the settings of the component.
        topic: the topic to consume.
        pattern: an event pattern to consume instead of the topic.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    name = subscription_name(settings, topic)
    if not settings.provision:
        return await _made_by_others(aws, settings, topic)
    await ensure_bus(aws, settings)
    dead = await _ensure_queue(aws, queue_name(settings.dead_letter_queue)) if settings.max_receives else None
    queue = await _ensure_queue(aws, name)
    rule: str = (
        await aws.events.put_rule(
            Name=name,
            EventBusName=settings.bus,
            EventPattern=pattern or _hears(settings, topic, name),
            State="ENABLED",
            Description=f"{topic} for {settings.consumer} (Dapr)"[:512],
        )
    )["RuleArn"]
    # First the queue admits the rule, then the rule sends: in the reverse order, events in between would be lost.
    redrive = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": settings.max_receives} if dead else None
    attributes = {
        "VisibilityTimeout": str(settings.visibility_timeout),
        "MessageRetentionPeriod": _FORTNIGHT,
        "RedrivePolicy": json.dumps(redrive) if redrive else "",
    }
    await _let_in(aws, queue, rule, attributes)
    if dead:
        # The rules of every bus: all subscriptions share this queue, so rules of other buses must be admitted, too.
        await _let_in(aws, dead, f"{rule.partition(':rule/')[0]}:rule/*")
    # Events that EventBridge cannot deliver within a day go to the same queue instead of being lost.
    target = {"Id": "queue", "Arn": queue.arn, **({"DeadLetterConfig": {"Arn": dead.arn}} if dead else {})}
    answer = await aws.events.put_targets(Rule=name, EventBusName=settings.bus, Targets=[target])
    if answer.get("FailedEntryCount"):
        failed = answer["FailedEntries"][0]
        raise OSError(f"The rule {name} did not take its queue: {failed.get('ErrorCode')} {failed.get('ErrorMessage')}")
    return queue


async def is_routed(aws: Aws, settings: Settings, topic: str) -> bool:
    """Tell whether the rule of a subscription exists and fills its queue.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    return await _fills(aws, settings, subscription_name(settings, topic))


async def former_queue(aws: Aws, settings: Settings, topic: str) -> Queue | None:
    """Return the queue that an earlier version of this component used for a subscription, if it still exists.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    name = former_name(settings.consumer, topic)
    try:
        # Without the rule, a queue of that name belongs to another program.
        return await _described(aws, name, await _url(aws, name)) if await _fills(aws, settings, name) else None
    except AWS_FAILURES as error:
        if code_of(error).startswith("AccessDenied"):
            LOG.warning("whether %s is left of an earlier version was not seen: %s", name, explain(error))
        elif not queue_is_gone(error):
            raise
    return None


async def silence_former_rule(aws: Aws, settings: Settings, topic: str) -> None:
    """Make the rule of an earlier version match nothing, because another rule fills another queue now.

    The rule stays, because it shows the owner of this queue.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    name = subscription_name(settings, topic)
    nothing = {"source": [settings.source], "detail-type": [f"dapr.moved/{name}"]}
    await aws.events.put_rule(
        Name=former_name(settings.consumer, topic),
        EventBusName=settings.bus,
        EventPattern=json.dumps(nothing),
        Description=f"Replaced by {name}. Delete it with its queue, once that is empty (Dapr)",
    )


async def left_in(aws: Aws, settings: Settings, topic: str) -> tuple[int, int]:
    """Return how many messages wait for a consumer of a topic, and how many it took but did not delete.

    Messages in the queue of an earlier version count, too: they are still to be consumed.

    Raises:
        AWS_FAILURES: AWS refused or did not answer.
    """
    queue = await _made_by_others(aws, settings, topic)
    former = await former_queue(aws, settings, topic)
    urls = {queue.url, former.url} if former else {queue.url}
    counts = [await _counted(aws, url) for url in urls]
    return sum(waiting for waiting, _ in counts), sum(taken for _, taken in counts)


def _hears(settings: Settings, topic: str, name: str) -> str:
    return json.dumps({"source": [settings.source], "detail-type": [topic, own_type(name)]})


async def _fills(aws: Aws, settings: Settings, name: str) -> bool:
    try:
        answer = await aws.events.list_targets_by_rule(Rule=name, EventBusName=settings.bus)
    except AWS_FAILURES as error:
        if is_missing(error):
            return False
        raise
    return any(str(target["Arn"]).endswith(f":{name}") for target in answer["Targets"])


async def _made_by_others(aws: Aws, settings: Settings, topic: str) -> Queue:
    name = subscription_name(settings, topic)
    try:
        return await _described(aws, name, await _url(aws, name))
    except AWS_FAILURES as error:
        if not queue_is_gone(error):
            raise
    former = former_name(settings.consumer, topic)
    return await _described(aws, former, await _url(aws, former))


async def _counted(aws: Aws, url: str) -> tuple[int, int]:
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "Delayed", "NotVisible")]
    counts = (await aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names))["Attributes"]
    waiting, delayed, taken = (int(counts[name]) for name in names)
    return waiting + delayed, taken


async def _ensure_queue(aws: Aws, name: str) -> Queue:
    try:
        url = await _url(aws, name)
    except AWS_FAILURES as error:
        if not queue_is_gone(error):
            raise
        try:
            answer = await aws.sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": _FORTNIGHT})
        except AWS_FAILURES as refusal:
            # Another process made it a moment ago, and has set its own attributes.
            if code_of(refusal) not in {"QueueAlreadyExists", "QueueNameExists"}:
                raise
            answer = {"QueueUrl": await _url(aws, name)}
        url = answer["QueueUrl"]
        LOG.info("queue %s was made", name)
    return await _described(aws, name, url)


async def _url(aws: Aws, name: str) -> str:
    return str((await aws.sqs.get_queue_url(QueueName=name))["QueueUrl"])


async def _described(aws: Aws, name: str, url: str) -> Queue:
    answer = await aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return Queue(name, url, answer["Attributes"]["QueueArn"])


async def _let_in(aws: Aws, queue: Queue, rules: str, attributes: Mapping[str, str] | None = None) -> None:
    """Admit rules to a queue, and keep the other statements of its policy."""
    answer = await aws.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
    policy = merged(str(answer.get("Attributes", {}).get("Policy", "")), queue.arn, rules)
    await aws.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={**(attributes or {}), "Policy": policy})


def merged(policy: str, queue: str, rules: str) -> str:
    """Return the policy of a queue with the statement that admits these rules; all other statements stay."""
    document: dict[str, Any] = json.loads(policy) if policy else {"Version": "2012-10-17"}
    statements = document.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    ours = {
        "Sid": _OURS,
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnLike": {"aws:SourceArn": rules}},
    }
    return json.dumps({**document, "Statement": [*(one for one in statements if one.get("Sid") != _OURS), ours]})
