"""Broker settings that lose messages, found by running or reading the components of Dapr 1.18."""

from __future__ import annotations

from typing import Final

from choreography.render.rule_shape import SettingRule, is_any_of, is_not, is_zero, whole

REFUSED_BROKERS: Final = {
    ("pubsub.in-memory", ""): (
        "pubsub.in-memory reaches one process only and never delivers again what failed. Use "
        "components/brokers/redis.yaml."
    ),
}

_EVENTBRIDGE: Final = (
    SettingRule(
        "maxReceives",
        lambda value: 0 < whole(value, 10) < 1000,
        "10",
        "A message is quarantined after so many reads, however long the store is away.",
        'Write "1000", or "0" for never.',
    ),
)

BROKER_RULES: Final[dict[str, tuple[SettingRule, ...]]] = {
    "pubsub.redis": (
        SettingRule(
            "redeliverInterval",
            lambda value: not value.strip().isdigit(),
            "15000",
            "It is read as whole milliseconds only, and anything else is ignored in silence.",
            'Write "5000".',
        ),
        SettingRule(
            "redeliverInterval",
            lambda value: is_zero(value) and value.strip().isdigit(),
            "15000",
            "Zero looks for abandoned messages never, so what a sidecar had taken when it died is lost.",
            'Write "5000".',
        ),
        SettingRule(
            "processingTimeout",
            is_zero,
            "60000",
            "Zero never gives up waiting, so what a sidecar had taken when it died is lost.",
            'Write "30000".',
        ),
        SettingRule(
            "queueDepth",
            lambda value: whole(value) < 100,
            "100",
            "A read takes no more than that, so no batch is ever full and every event pays more.",
            'Write "200".',
        ),
        SettingRule(
            "maxLenApprox", is_not("0"), "0", "It trims entries whether or not anybody has read them.", "Remove it."
        ),
        SettingRule(
            "streamTTL",
            lambda value: not is_zero(value),
            "0",
            "It trims entries whether or not anybody has read them.",
            "Remove it.",
        ),
    ),
    "pubsub.kafka": (
        SettingRule(
            "initialOffset",
            is_not("oldest"),
            "newest",
            "Events published before a service first joined would never reach it.",
            'Write "oldest".',
        ),
        SettingRule(
            "consumeRetryEnabled",
            is_any_of("false"),
            "true",
            "A batch that failed is skipped, and the next commit of the offset passes over it.",
            'Write "true" or remove it.',
        ),
        SettingRule(
            "producerRequiredAcks",
            is_not("all"),
            "all",
            "A publish that was acknowledged is lost when the leader of its partition dies.",
            'Write "all" or remove it.',
        ),
    ),
    "pubsub.rabbitmq": (
        SettingRule(
            "durable",
            is_not("true"),
            "true",
            "Queues do not survive a restart of the broker, nor what is in them.",
            'Write "true".',
        ),
        SettingRule(
            "deletedWhenUnused",
            is_not("false"),
            "true",
            "The queue is deleted with all that is in it when the last sidecar leaves, as at every restart.",
            'Write "false".',
        ),
        SettingRule(
            "deliveryMode",
            is_not("2"),
            "0",
            "Messages are kept in memory only and lost when the broker restarts.",
            'Write "2".',
        ),
        SettingRule(
            "requeueInFailure", is_not("true"), "false", "A message that failed is thrown away.", 'Write "true".'
        ),
        SettingRule(
            "publisherConfirm",
            is_not("true"),
            "false",
            "A publish counts as done before the broker has the message.",
            'Write "true".',
        ),
        SettingRule(
            "autoAck", is_any_of("true"), "false", "Messages are acknowledged before they are handled.", "Remove it."
        ),
        SettingRule(
            "prefetchCount",
            lambda value: whole(value) > 255 or 0 < whole(value) < 100,
            "0",
            "Below 100 no batch is ever full, and above 255 the sidecar ends, as the setting is one byte.",
            'Write "200".',
        ),
        SettingRule("maxLen", is_not("0"), "0", "A full queue throws its oldest messages away.", "Remove it."),
        SettingRule("maxLenBytes", is_not("0"), "0", "A full queue throws its oldest messages away.", "Remove it."),
        SettingRule("ttlInSeconds", bool, "", "Messages nobody has read in time are thrown away.", "Remove it."),
    ),
    "pubsub.jetstream": (
        *(
            SettingRule(
                name,
                is_any_of("parallel"),
                "single",
                "In parallel a message is acknowledged before it is handled, so what fails is lost.",
                'Write "single" or remove it.',
            )
            for name in ("concurrencyMode", "concurrency")
        ),
        SettingRule(
            "durableName",
            lambda value: not value,
            "",
            "Without it every restart hears everything again, and every replica hears every message.",
            'Write "{appID}".',
        ),
        SettingRule(
            "queueGroupName",
            lambda value: not value,
            "",
            "Without it a second replica cannot subscribe.",
            'Write "{appID}", as for durableName.',
        ),
        SettingRule(
            "memoryStorage", is_any_of("true"), "false", "A restart of the broker loses every message.", "Remove it."
        ),
        SettingRule(
            "ackPolicy", is_any_of("none"), "explicit", "Messages count as handled once they are sent.", "Remove it."
        ),
        SettingRule(
            "maxDeliver",
            lambda value: whole(value) > 0,
            "0",
            "A message is given up after so many attempts, however long the store is away.",
            "Remove it.",
        ),
        SettingRule(
            "deliverPolicy",
            is_not("all"),
            "all",
            "Events published before a service first subscribed would never reach it.",
            'Write "all" or remove it.',
        ),
    ),
    "pubsub.nats-pull": (
        SettingRule(
            "maxDeliver",
            lambda value: 0 < whole(value) < 1000,
            "0",
            "A message is quarantined after so many deliveries, however long the store is away.",
            'Write "0" for never, or "1000".',
        ),
        SettingRule(
            "maxInFlight",
            lambda value: 0 < whole(value, 200) < 100,
            "200",
            "Below 100 no batch is ever full, and every event pays more.",
            'Write "200".',
        ),
    ),
    "pubsub.aws.snssqs": (
        SettingRule(
            "disableDeleteOnRetryLimit",
            is_not("true"),
            "false",
            "A message is deleted once it has been received ten times, however long the store is away.",
            'Write "true", or name a queue in sqsDeadLettersQueueName and watch it.',
        ),
        SettingRule(
            "concurrencyMode",
            is_any_of("single"),
            "parallel",
            "One message at a time is handled, so no batch is ever full and every event pays more.",
            'Write "parallel" or remove it.',
        ),
        SettingRule(
            "concurrencyLimit",
            lambda value: 0 < whole(value) < 100,
            "0",
            "Below 100 no batch is ever full, and every event pays more.",
            'Write "400".',
        ),
    ),
    "pubsub.aws.eventbridge": _EVENTBRIDGE,
    "pubsub.eventbridge": _EVENTBRIDGE,  # its type in version 0.1.0
}
