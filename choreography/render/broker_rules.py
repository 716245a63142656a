"""What single settings of brokers lose, found by running or reading the components of Dapr 1.18."""

from __future__ import annotations

from typing import Final

from choreography.render.rule_shape import Rule, is_any_of, is_not, is_zero, whole

REFUSED_BROKERS: Final = {
    ("pubsub.in-memory", ""): (
        "pubsub.in-memory reaches one process only and never delivers again what failed. Use "
        "components/brokers/redis.yaml."
    ),
}

_EVENTBRIDGE: Final = (
    Rule(
        "maxReceives",
        lambda value: 0 < whole(value, 10) < 1000,
        "10",
        "A message is quarantined after so many reads, however long the store is away.",
        'Write "1000", or "0" for never.',
    ),
)

BROKER_RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "pubsub.redis": (
        Rule(
            "redeliverInterval",
            lambda value: not value.strip().isdigit(),
            "15000",
            "It is read as whole milliseconds only, and anything else is ignored in silence.",
            'Write "5000".',
        ),
        Rule(
            "redeliverInterval",
            lambda value: is_zero(value) and value.strip().isdigit(),
            "15000",
            "Zero looks for abandoned messages never, so what a sidecar had taken when it died is lost.",
            'Write "5000".',
        ),
        Rule(
            "processingTimeout",
            is_zero,
            "60000",
            "Zero never gives up waiting, so what a sidecar had taken when it died is lost.",
            'Write "30000".',
        ),
        Rule(
            "queueDepth",
            lambda value: whole(value) < 100,
            "100",
            "A read takes no more than that, so no batch is ever full and every event pays more.",
            'Write "200".',
        ),
        Rule("maxLenApprox", is_not("0"), "0", "It trims entries whether or not anybody has read them.", "Remove it."),
        Rule(
            "streamTTL",
            lambda value: not is_zero(value),
            "0",
            "It trims entries whether or not anybody has read them.",
            "Remove it.",
        ),
    ),
    "pubsub.kafka": (
        Rule(
            "initialOffset",
            is_not("oldest"),
            "newest",
            "Events published before a service first joined would never reach it.",
            'Write "oldest".',
        ),
        Rule(
            "consumeRetryEnabled",
            is_any_of("false"),
            "true",
            "A batch that failed is skipped, and the next commit of the offset passes over it.",
            'Write "true" or remove it.',
        ),
        Rule(
            "producerRequiredAcks",
            is_not("all"),
            "all",
            "A publish that was acknowledged is lost when the leader of its partition dies.",
            'Write "all" or remove it.',
        ),
    ),
    "pubsub.rabbitmq": (
        Rule(
            "durable",
            is_not("true"),
            "true",
            "Queues do not survive a restart of the broker, nor what is in them.",
            'Write "true".',
        ),
        Rule(
            "deletedWhenUnused",
            is_not("false"),
            "true",
            "The queue is deleted with all that is in it when the last sidecar leaves, as at every restart.",
            'Write "false".',
        ),
        Rule(
            "deliveryMode",
            is_not("2"),
            "0",
            "Messages are kept in memory only and lost when the broker restarts.",
            'Write "2".',
        ),
        Rule("requeueInFailure", is_not("true"), "false", "A message that failed is thrown away.", 'Write "true".'),
        Rule(
            "publisherConfirm",
            is_not("true"),
            "false",
            "A publish counts as done before the broker has the message.",
            'Write "true".',
        ),
        Rule("autoAck", is_any_of("true"), "false", "Messages are acknowledged before they are handled.", "Remove it."),
        Rule(
            "prefetchCount",
            lambda value: whole(value) > 255 or 0 < whole(value) < 100,
            "0",
            "Below 100 no batch is ever full, and above 255 the sidecar ends, as the setting is one byte.",
            'Write "200".',
        ),
        Rule("maxLen", is_not("0"), "0", "A full queue throws its oldest messages away.", "Remove it."),
        Rule("maxLenBytes", is_not("0"), "0", "A full queue throws its oldest messages away.", "Remove it."),
        Rule("ttlInSeconds", bool, "", "Messages nobody has read in time are thrown away.", "Remove it."),
    ),
    "pubsub.jetstream": (
        *(
            Rule(
                name,
                is_any_of("parallel"),
                "single",
                "In parallel a message is acknowledged before it is handled, so what fails is lost.",
                'Write "single" or remove it.',
            )
            for name in ("concurrencyMode", "concurrency")
        ),
        Rule(
            "durableName",
            lambda value: not value,
            "",
            "Without it every restart hears everything again, and every replica hears every message.",
            'Write "{appID}".',
        ),
        Rule(
            "queueGroupName",
            lambda value: not value,
            "",
            "Without it a second replica cannot subscribe.",
            'Write "{appID}", as for durableName.',
        ),
        Rule("memoryStorage", is_any_of("true"), "false", "A restart of the broker loses every message.", "Remove it."),
        Rule("ackPolicy", is_any_of("none"), "explicit", "Messages count as handled once they are sent.", "Remove it."),
        Rule(
            "maxDeliver",
            lambda value: whole(value) > 0,
            "0",
            "A message is given up after so many attempts, however long the store is away.",
            "Remove it.",
        ),
        Rule(
            "deliverPolicy",
            is_not("all"),
            "all",
            "Events published before a service first subscribed would never reach it.",
            'Write "all" or remove it.',
        ),
    ),
    "pubsub.nats-pull": (
        Rule(
            "maxDeliver",
            lambda value: 0 < whole(value) < 1000,
            "0",
            "A message is quarantined after so many deliveries, however long the store is away.",
            'Write "0" for never, or "1000".',
        ),
        Rule(
            "maxInFlight",
            lambda value: 0 < whole(value, 200) < 100,
            "200",
            "Below 100 no batch is ever full, and every event pays more.",
            'Write "200".',
        ),
    ),
    "pubsub.aws.snssqs": (
        Rule(
            "disableDeleteOnRetryLimit",
            is_not("true"),
            "false",
            "A message is deleted once it has been received ten times, however long the store is away.",
            'Write "true", or name a queue in sqsDeadLettersQueueName and watch it.',
        ),
        Rule(
            "concurrencyMode",
            is_any_of("single"),
            "parallel",
            "One message at a time is handled, so no batch is ever full and every event pays more.",
            'Write "parallel" or remove it.',
        ),
        Rule(
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
