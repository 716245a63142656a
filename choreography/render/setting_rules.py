"""What single settings of brokers and stores lose, found by running or reading the components of Dapr 1.18."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from choreography.render.resources import Resource

Judge = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One setting: when it is bad, why, and what to write. ``default`` is what the component takes if it is not set."""

    setting: str
    bad: Judge
    default: str
    why: str
    write: str


def is_zero(value: str) -> bool:
    """Tell whether a number or a duration is nothing, or less."""
    return re.fullmatch(r"-.*|0+(\.0+)?[a-zµ]*", value.strip()) is not None


def whole(value: str, otherwise: int = 0) -> int:
    """Return a whole number; what is none counts as ``otherwise``, as the components take it."""
    return int(value) if value.strip().isdigit() else otherwise


def judge_settings(component: Resource) -> Iterator[str]:
    """Yield a sentence for each setting of a component that loses messages or breaks the guarantee."""
    refusal = _REFUSED.get((component.type, str(component.spec.get("version", "v1")))) or _REFUSED.get((component.type, ""))
    if refusal:
        yield f"{component.file}: {refusal}"
        return
    for rule in _RULES.get(component.type, ()):
        if component.has(rule.setting) and component.settings[rule.setting.lower()] is None:
            continue
        value = component.text(rule.setting, rule.default)
        if rule.bad(value):
            is_set = f"is {value!r}" if component.has(rule.setting) else f"is not set, which means {rule.default or 'none'!r}"
            yield f"{component.file}: {rule.setting} {is_set}. {rule.why} {rule.write}"


def _not(wanted: str) -> Judge:
    return lambda value: value.lower() != wanted


def _is(*bad: str) -> Judge:
    return lambda value: value.lower() in bad


def _lacks(parameter: str) -> Judge:
    return lambda value: bool(value) and parameter not in value.replace(" = ", "=")


_POSTGRES_V1: Final = (
    "state.postgresql v1 takes its ETag from a transaction number, which can come back, so an outdated write may pass "
    "as current. Write `version: v2`, with a tablePrefix of its own if v1 used the same database."
)
_REFUSED: Final = {
    ("state.redis", ""): (
        "state.redis does not undo the other writes of a transaction that conflicts and overwrites on first-write, so "
        "events would be counted twice. Use PostgreSQL or SQLite: components/stores/postgres.yaml or sqlite.yaml."
    ),
    ("state.mongodb", ""): (
        "state.mongodb drops the error of a failed commit and reports success, so state would be lost in silence. "
        "Use PostgreSQL or SQLite: components/stores/postgres.yaml or sqlite.yaml."
    ),
    ("state.in-memory", ""): (
        "state.in-memory forgets every outcome with the sidecar, so events would be counted twice. "
        "Use PostgreSQL or SQLite: components/stores/postgres.yaml or sqlite.yaml."
    ),
    ("state.postgresql", "v1"): _POSTGRES_V1,
    ("state.postgres", "v1"): _POSTGRES_V1,
    ("pubsub.in-memory", ""): (
        "pubsub.in-memory reaches one process only and never delivers again what failed. Use components/brokers/redis.yaml."
    ),
}

_GROWS: Final = "Outcomes expire, but nothing would remove them and the store would grow with every event."
_POSTGRES: Final = (
    Rule(
        "connectionString",
        _lacks("lock_timeout="),
        "",
        "A replica that freezes keeps its row locks, and all others would wait for it without end.",
        "Add `lock_timeout=2000` to it as a plain parameter.",
    ),
    Rule(
        "connectionString",
        _lacks("idle_in_transaction_session_timeout="),
        "",
        "A replica that freezes inside a transaction would keep its row locks for ever.",
        "Add `idle_in_transaction_session_timeout=3000` to it as a plain parameter.",
    ),
    Rule(
        "connectionString",
        lambda value: re.search(r"synchronous_commit\s*=\s*(off|local)", value) is not None,
        "",
        "A commit that was acknowledged may be gone after a crash, and its events with it.",
        "Leave synchronous_commit on, its default.",
    ),
    Rule("cleanupInterval", is_zero, "1h", _GROWS, 'Write "10m".'),
)

_RULES: Final[dict[str, tuple[Rule, ...]]] = {
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
        Rule("maxLenApprox", _not("0"), "0", "It trims entries whether or not anybody has read them.", "Remove it."),
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
            _not("oldest"),
            "newest",
            "Events published before a service first joined would never reach it.",
            'Write "oldest".',
        ),
        Rule(
            "consumeRetryEnabled",
            _is("false"),
            "true",
            "A batch that failed is skipped, and the next commit of the offset passes over it.",
            'Write "true" or remove it.',
        ),
        Rule(
            "producerRequiredAcks",
            _not("all"),
            "all",
            "A publish that was acknowledged is lost when the leader of its partition dies.",
            'Write "all" or remove it.',
        ),
    ),
    "pubsub.rabbitmq": (
        Rule(
            "durable", _not("true"), "true", "Queues do not survive a restart of the broker, nor what is in them.", 'Write "true".'
        ),
        Rule(
            "deletedWhenUnused",
            _not("false"),
            "true",
            "The queue is deleted with all that is in it when the last sidecar leaves, as at every restart.",
            'Write "false".',
        ),
        Rule("deliveryMode", _not("2"), "0", "Messages are kept in memory only and lost when the broker restarts.", 'Write "2".'),
        Rule("requeueInFailure", _not("true"), "false", "A message that failed is thrown away.", 'Write "true".'),
        Rule(
            "publisherConfirm",
            _not("true"),
            "false",
            "A publish counts as done before the broker has the message.",
            'Write "true".',
        ),
        Rule("autoAck", _is("true"), "false", "Messages are acknowledged before they are handled.", "Remove it."),
        Rule(
            "prefetchCount",
            lambda value: whole(value) > 255 or 0 < whole(value) < 100,
            "0",
            "Below 100 no batch is ever full, and above 255 the sidecar ends, as the setting is one byte.",
            'Write "200".',
        ),
        Rule("maxLen", _not("0"), "0", "A full queue throws its oldest messages away.", "Remove it."),
        Rule("maxLenBytes", _not("0"), "0", "A full queue throws its oldest messages away.", "Remove it."),
        Rule("ttlInSeconds", bool, "", "Messages nobody has read in time are thrown away.", "Remove it."),
    ),
    "pubsub.jetstream": (
        *(
            Rule(
                name,
                _is("parallel"),
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
        Rule("memoryStorage", _is("true"), "false", "A restart of the broker loses every message.", "Remove it."),
        Rule("ackPolicy", _is("none"), "explicit", "Messages count as handled once they are sent.", "Remove it."),
        Rule(
            "maxDeliver",
            lambda value: whole(value) > 0,
            "0",
            "A message is given up after so many attempts, however long the store is away.",
            "Remove it.",
        ),
        Rule(
            "deliverPolicy",
            _not("all"),
            "all",
            "Events published before a service first subscribed would never reach it.",
            'Write "all" or remove it.',
        ),
    ),
    "pubsub.aws.snssqs": (
        Rule(
            "disableDeleteOnRetryLimit",
            _not("true"),
            "false",
            "A message is deleted once it has been received ten times, however long the store is away.",
            'Write "true", or name a queue in sqsDeadLettersQueueName and watch it.',
        ),
    ),
    "state.sqlite": (
        Rule("cleanupInterval", is_zero, "0", _GROWS, 'Write "10m".'),
        Rule(
            "connectionString",
            lambda value: ":memory:" in value.lower(),
            "",
            "A database in memory is gone with its sidecar, so events would be counted twice.",
            "Name a file on a local disk.",
        ),
        Rule(
            "connectionString",
            lambda value: re.search(r"synchronous\W+(off|normal|0|1)\b", value.lower()) is not None,
            "",
            "A commit that was acknowledged may be gone after a power cut.",
            "Leave _pragma=synchronous out; the default is FULL.",
        ),
    ),
    "state.postgresql": _POSTGRES,
    "state.postgres": _POSTGRES,
}
