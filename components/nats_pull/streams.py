"""Makes missing streams and consumers, and judges existing ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError

from components.nats_pull.connection import Nats
from components.nats_pull.names import consumer_name, former_name, stream_name
from components.nats_pull.settings import Settings
from components.pluggable.errors import UnfitError
from components.pluggable.log import LOG

_MOST_PENDING: Final = 10_000
"""Of all replicas together, so that it bounds none of them."""

_SHORT: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference between an existing stream or consumer and the one that this component would make.

    Attributes:
        sentence: the difference and the remedy.
        loses: it may lose messages, so nothing is published or consumed until it is corrected.
    """

    sentence: str
    loses: bool


@dataclass(frozen=True, slots=True)
class Ensured:
    """A stream or consumer that exists now.

    Attributes:
        is_new: it was made just now.
        differs: its harmless differences from the file, a sentence each.
        ack_wait: the AckWait of a consumer.
    """

    is_new: bool
    differs: tuple[str, ...] = ()
    ack_wait: float = 0.0


async def ensure_stream(nats: Nats, settings: Settings, topic: str) -> Ensured:
    """Make the stream of a topic if it is missing, and judge it if it exists.

    Raises:
        UnfitError: the stream is missing and may not be made, or would lose messages.
        NATS_FAILURES: NATS refused or did not answer.
    """
    streams, name = nats.streams, stream_name(topic)
    try:
        found = await streams.stream_info(name)
    except NotFoundError as error:
        if not settings.provision:
            raise UnfitError(
                f"The stream {name!r} is not there, so nothing can be published to {topic}. Make it (`choreography "
                'provision`), or set provision to "true".'
            ) from error
        await streams.add_stream(wanted_stream(settings, topic))
        LOG.info("stream %s of %s was made", name, topic)
        return Ensured(is_new=True)
    differs = _judged(f"stream {name}", judge_stream(found.config, wanted_stream(settings, topic)))
    return Ensured(is_new=False, differs=differs)


async def ensure_consumer(nats: Nats, settings: Settings, topic: str) -> Ensured:
    """Make the consumer of an app for a topic if it is missing, and judge it if it exists.

    Raises:
        UnfitError: the consumer is missing and may not be made, or would lose messages.
        NATS_FAILURES: NATS refused or did not answer.
    """
    streams, stream, name = nats.streams, stream_name(topic), consumer_name(settings.consumer, topic)
    wanted, is_new = wanted_consumer(settings, topic), False
    try:
        found = (await streams.consumer_info(stream, name)).config
    except NotFoundError as error:
        if not settings.provision:
            raise UnfitError(
                f"The consumer {name!r} of stream {stream!r} is not there, so {settings.consumer} cannot hear {topic}. "
                'Make it (`choreography provision`), or set provision to "true".'
            ) from error
        wanted = await _from_where_the_former_is(streams, settings, topic, wanted)
        try:
            found, is_new = (await streams.add_consumer(stream, wanted)).config, True
        except BadRequestError:
            # Another replica made it a moment ago, and may have chosen another start.
            found = (await streams.consumer_info(stream, name)).config
        LOG.info("consumer %s of stream %s was made", name, stream)
    differs = _judged(f"consumer {name} of stream {stream}", judge_consumer(found, wanted))
    return Ensured(is_new, differs, found.ack_wait or float(settings.ack_wait))


async def left_in(nats: Nats, consumer: str, topic: str) -> tuple[int, int]:
    """Return how many messages wait for a consumer of a topic, and how many it took but did not acknowledge.

    Raises:
        NATS_FAILURES: NATS refused or did not answer.
    """
    stream = stream_name(topic)
    try:
        found = await nats.streams.consumer_info(stream, consumer_name(consumer, topic))
    except NotFoundError:
        # The consumer never subscribed, and would begin with the first message.
        return (await nats.streams.stream_info(stream)).state.messages, 0
    return found.num_pending or 0, found.num_ack_pending or 0


def wanted_stream(settings: Settings, topic: str) -> StreamConfig:
    """Return the configuration of a topic's stream."""
    return StreamConfig(
        name=stream_name(topic),
        subjects=[topic],
        storage=StorageType.FILE,
        # Not by interest: events without a subscriber so far must stay.
        retention=RetentionPolicy.LIMITS,
        num_replicas=settings.stream_replicas,
    )


def wanted_consumer(settings: Settings, topic: str) -> ConsumerConfig:
    """Return the configuration of an app's consumer."""
    return ConsumerConfig(
        durable_name=consumer_name(settings.consumer, topic),
        filter_subject=topic,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=settings.ack_wait,
        # No limit: the server would give a message up without keeping it elsewhere. See `maxDeliver`.
        max_deliver=-1,
        max_ack_pending=_MOST_PENDING,
    )


def judge_stream(found: StreamConfig, wanted: StreamConfig) -> Iterator[Finding]:
    """Yield the faults of a stream."""
    subject = (wanted.subjects or [""])[0]
    subjects = found.subjects or []
    if not any(covers(one, subject) for one in subjects):
        held = ", ".join(subjects) or "nothing"
        yield Finding(f"It holds {held} and not {subject}, so nothing could be published there. Add the subject.", True)
    if found.storage != StorageType.FILE:
        yield Finding("It is kept in memory, so a restart of the server loses every message. Make it on disk.", True)
    if found.retention != RetentionPolicy.LIMITS:
        kept = getattr(found.retention, "value", found.retention)
        yield Finding(
            f"It keeps messages by {kept}, so what is published before somebody subscribes, or what a second "
            "subscriber has yet to hear, is thrown away. Make it keep them by limits.",
            True,
        )
    if getattr(found, "no_ack", False):
        yield Finding("It acknowledges no publish, so nobody knows what it has. Remove no_ack.", True)
    if getattr(found, "sealed", False):
        yield Finding("It is sealed, so nothing can be published to it. Make another.", True)
    bounded = [
        f"{name}={value}"
        for name in ("max_msgs", "max_bytes", "max_msgs_per_subject")
        if (value := getattr(found, name, None) or -1) > 0
    ]
    if bounded and found.discard != DiscardPolicy.NEW:
        yield Finding(
            f"It throws its oldest messages away when it is full ({', '.join(bounded)}), whether or not anybody has "
            "heard them. Remove the limit, or set discard to new.",
            True,
        )
    if found.max_age and found.max_age < _SHORT:
        yield Finding(
            f"It throws away what is older than {found.max_age:.0f} s, so a service that is down for so long never "
            "hears it. Set max_age to a day at least, or remove it.",
            True,
        )
    elif found.max_age:
        yield Finding(f"It throws away what is older than {found.max_age / 3600:.0f} hours.", False)
    if (found.num_replicas or 1) != wanted.num_replicas:
        yield Finding(f"It is kept {found.num_replicas} times, and the file says {wanted.num_replicas}.", False)


def judge_consumer(found: ConsumerConfig, wanted: ConsumerConfig) -> Iterator[Finding]:
    """Yield the faults of a consumer."""
    if found.deliver_subject:
        yield Finding("The server pushes to it, so nobody can pull from it. Delete it once it is drained.", True)
    if found.ack_policy != AckPolicy.EXPLICIT:
        policy = getattr(found.ack_policy, "value", found.ack_policy)
        yield Finding(
            f"Its ack_policy is {policy}, so messages count as handled that are not. Make it with explicit.", True
        )
    if found.filter_subject and not covers(found.filter_subject, wanted.filter_subject or ""):
        yield Finding(f"It hears {found.filter_subject} and not {wanted.filter_subject}. Delete it.", True)
    if (found.max_deliver or -1) > 0:
        yield Finding(
            f"The server gives a message up after {found.max_deliver} deliveries and keeps it nowhere else. Set its "
            "max_deliver to -1, and maxDeliver in the component's file: that has a dead letter topic.",
            True,
        )
    if found.inactive_threshold:
        yield Finding(
            f"It is deleted when nobody pulls for {found.inactive_threshold:.0f} s, and forgets what was heard. Remove "
            "inactive_threshold.",
            True,
        )
    if getattr(found, "headers_only", False):
        yield Finding("It delivers headers only. Remove headers_only.", True)
    if getattr(found, "mem_storage", False):
        yield Finding("It is kept in memory, so after a restart of the server everything is heard again.", False)
    if found.ack_wait and found.ack_wait != wanted.ack_wait:
        yield Finding(f"Its ack_wait is {found.ack_wait:.0f} s, and the file says {wanted.ack_wait:.0f} s.", False)


def covers(filter_: str, subject: str) -> bool:
    """Tell whether a subject of NATS, which may contain wildcards, matches another that contains none."""
    ours, theirs = filter_.split("."), subject.split(".")
    for place, part in enumerate(ours):
        if part == ">":
            return len(theirs) > place
        if place >= len(theirs) or part not in ("*", theirs[place]):
            return False
    return len(ours) == len(theirs)


def _judged(what: str, findings: Iterator[Finding]) -> tuple[str, ...]:
    """Return the harmless differences of an existing stream or consumer.

    Raises:
        UnfitError: a difference would lose messages.
    """
    found = list(findings)
    if lossy := [one.sentence for one in found if one.loses]:
        raise UnfitError(f"The {what} would lose messages as it is. {' '.join(lossy)}")
    differs = tuple(f"The {what} is not as the file says. {one.sentence}" for one in found)
    for sentence in differs:
        LOG.warning(sentence)
    return differs


async def _from_where_the_former_is(
    streams: JetStreamContext, settings: Settings, topic: str, wanted: ConsumerConfig
) -> ConsumerConfig:
    """Begin after the messages that the app has acknowledged through Dapr's own component, if there are any."""
    try:
        former = await streams.consumer_info(stream_name(topic), former_name(settings.consumer, topic))
    except NotFoundError:
        return wanted
    floor = former.ack_floor.stream_seq if former.ack_floor else 0
    LOG.info("%s is heard from message %d on, behind what %s has acknowledged", topic, floor + 1, former.name)
    return wanted.evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=floor + 1)
