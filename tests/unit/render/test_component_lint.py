"""The lint of Dapr files reports each setting that loses messages, with the reason and the remedy."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from choreography.render import command
from choreography.render.component_lint import judge
from choreography.render.connection_rules import judge_connections, tell_connections
from choreography.render.resources import Resource
from tests.rendered_flow import rendered_flow

COMPONENTS = Path(command.__file__).parents[2] / "components"


def component(type_: str, version: str = "v1", **settings: Any) -> dict[str, Any]:
    """Describe a component with a few settings."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "pubsub" if type_.startswith("pubsub.") else "statestore"},
        "spec": {
            "type": type_,
            "version": version,
            "metadata": [{"name": name, "value": value} for name, value in settings.items()],
        },
    }


def resiliency(retry: dict[str, Any] | None = None, **target: Any) -> dict[str, Any]:
    """Describe a Resiliency that is safe but for what is given."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Resiliency",
        "metadata": {"name": "tested"},
        "spec": {
            "policies": {
                "retries": {"until-done": retry or {"policy": "constant", "duration": "1s", "maxRetries": -1}}
            },
            "targets": {"components": {"pubsub": {"inbound": {"retry": "until-done"}} | target}},
        },
    }


def subscription(name: str = "mine", **spec: Any) -> dict[str, Any]:
    """Describe a subscription that is safe but for what is given."""
    safe = {"pubsubname": "pubsub", "topic": "orders", "routes": {"default": "/events"}}
    return {
        "apiVersion": "dapr.io/v2alpha1",
        "kind": "Subscription",
        "metadata": {"name": name},
        "spec": safe | spec,
        "scopes": ["order"],
    }


def judged(folder: Path, *documents: dict[str, Any]) -> list[str]:
    """Write each document into a file of its own and judge the folder."""
    for number, document in enumerate(documents):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(document))
    return judge(folder)


REDIS = {"concurrency": "1000"}
KAFKA = {"initialOffset": "oldest"}
RABBITMQ = {
    "deletedWhenUnused": "false",
    "deliveryMode": "2",
    "requeueInFailure": "true",
    "publisherConfirm": "true",
    "prefetchCount": "200",
}
JETSTREAM = {"durableName": "{appID}", "queueGroupName": "{appID}"}
SQLITE = {"connectionString": "order.db", "cleanupInterval": "10m"}
POSTGRES = {
    "connectionString": (
        "host=db database=orders lock_timeout=2000 idle_in_transaction_session_timeout=3000 "
        "enable_seqscan=off enable_bitmapscan=off"
    )
}
MYSQL = {"connectionString": "u:p@tcp(db:3306)/?innodb_lock_wait_timeout=2&idle_transaction_timeout=3"}
SAFE = {
    "pubsub.redis": REDIS,
    "pubsub.kafka": KAFKA,
    "pubsub.rabbitmq": RABBITMQ,
    "pubsub.jetstream": JETSTREAM,
    "pubsub.aws.snssqs": {"disableDeleteOnRetryLimit": "true"},
    "pubsub.aws.eventbridge": {"maxReceives": "1000"},
    "pubsub.nats-pull": {"natsURL": "nats://127.0.0.1:4222"},
    "state.sqlite": SQLITE,
    "state.postgresql": POSTGRES,
    "state.mysql": MYSQL,
}


def version_of(type_: str) -> str:
    """The version each component is safe in."""
    return "v2" if type_ == "state.postgresql" else "v1"


@pytest.mark.parametrize(("type_", "settings"), SAFE.items())
def test_safe_settings_are_accepted(tmp_path: Path, type_: str, settings: dict[str, str]) -> None:
    """A lint that cries wolf is turned off."""
    assert judged(tmp_path, component(type_, version_of(type_), **settings), resiliency()) == []


@pytest.mark.parametrize(
    ("type_", "setting", "value", "why", "write"),
    [
        ("pubsub.redis", "redeliverInterval", "15s", "whole milliseconds only", 'Write "5000"'),
        ("pubsub.redis", "redeliverInterval", "0", "looks for abandoned messages never", 'Write "5000"'),
        ("pubsub.redis", "processingTimeout", "0", "taken when it died is lost", 'Write "30000"'),
        ("pubsub.redis", "processingTimeout", "0s", "taken when it died is lost", 'Write "30000"'),
        ("pubsub.redis", "concurrency", "10", "slower than single", 'at least "100"'),
        ("pubsub.redis", "concurrency", None, "slower than single", 'at least "100"'),
        ("pubsub.redis", "queueDepth", "10", "no batch is ever full", 'Write "200"'),
        ("pubsub.redis", "maxLenApprox", "1000", "whether or not anybody has read", "Remove it"),
        ("pubsub.redis", "streamTTL", "24h", "whether or not anybody has read", "Remove it"),
        ("pubsub.kafka", "initialOffset", "newest", "before a service first joined", 'Write "oldest"'),
        ("pubsub.kafka", "initialOffset", None, "before a service first joined", 'Write "oldest"'),
        ("pubsub.kafka", "consumeRetryEnabled", "false", "passes over it", 'Write "true"'),
        ("pubsub.kafka", "producerRequiredAcks", "local", "when the leader of its partition dies", 'Write "all"'),
        ("pubsub.rabbitmq", "durable", False, "do not survive a restart", 'Write "true"'),
        ("pubsub.rabbitmq", "deletedWhenUnused", None, "when the last sidecar leaves", 'Write "false"'),
        ("pubsub.rabbitmq", "deliveryMode", None, "in memory only", 'Write "2"'),
        ("pubsub.rabbitmq", "requeueInFailure", None, "thrown away", 'Write "true"'),
        ("pubsub.rabbitmq", "publisherConfirm", None, "before the broker has the message", 'Write "true"'),
        ("pubsub.rabbitmq", "autoAck", "true", "before they are handled", "Remove it"),
        ("pubsub.rabbitmq", "prefetchCount", "300", "the sidecar ends", 'Write "200"'),
        ("pubsub.rabbitmq", "prefetchCount", 10, "no batch is ever full", 'Write "200"'),
        ("pubsub.rabbitmq", "maxLen", "1000", "oldest messages away", "Remove it"),
        ("pubsub.rabbitmq", "ttlInSeconds", "60", "in time are thrown away", "Remove it"),
        ("pubsub.jetstream", "concurrencyMode", "parallel", "acknowledged before it is handled", 'Write "single"'),
        ("pubsub.jetstream", "concurrency", "parallel", "acknowledged before it is handled", 'Write "single"'),
        ("pubsub.jetstream", "durableName", None, "every replica hears every message", 'Write "{appID}"'),
        ("pubsub.jetstream", "queueGroupName", None, "second replica cannot subscribe", 'Write "{appID}"'),
        ("pubsub.jetstream", "memoryStorage", "true", "loses every message", "Remove it"),
        ("pubsub.jetstream", "ackPolicy", "none", "once they are sent", "Remove it"),
        ("pubsub.jetstream", "maxDeliver", "5", "however long the store is away", "Remove it"),
        ("pubsub.jetstream", "deliverPolicy", "new", "before a service first subscribed", 'Write "all"'),
        ("pubsub.aws.snssqs", "disableDeleteOnRetryLimit", None, "received ten times", 'Write "true"'),
        ("pubsub.aws.snssqs", "concurrencyMode", "single", "no batch is ever full", 'Write "parallel"'),
        ("pubsub.aws.snssqs", "concurrencyLimit", "10", "no batch is ever full", 'Write "400"'),
        ("pubsub.aws.eventbridge", "maxReceives", None, "however long the store is away", 'Write "1000"'),
        ("pubsub.nats-pull", "maxDeliver", "5", "however long the store is away", 'Write "0"'),
        ("pubsub.nats-pull", "maxInFlight", "20", "no batch is ever full", 'Write "200"'),
        ("pubsub.aws.eventbridge", "maxReceives", "5", "however long the store is away", 'Write "1000"'),
        ("state.sqlite", "cleanupInterval", None, "grow with every event", 'Write "10m"'),
        ("state.sqlite", "connectionString", ":memory:", "gone with its sidecar", "Name a file"),
        ("state.sqlite", "connectionString", "o.db?_pragma=synchronous(off)", "after a power cut", "default is FULL"),
        ("state.mysql", "connectionString", "u:p@tcp(db:3306)/", "most of a minute", "innodb_lock_wait_timeout=2"),
        ("state.mysql", "connectionString", "u:p@tcp(db:3306)/", "for hours", "idle_transaction_timeout=3"),
        ("state.mysql", "cleanupInterval", "0", "grow with every event", 'Write "10m"'),
        ("state.postgresql", "cleanupInterval", "-1", "grow with every event", 'Write "10m"'),
        ("state.postgresql", "connectionString", "host=db", "wait for it without end", "lock_timeout=2000"),
        ("state.postgresql", "connectionString", "host=db", "keep its row locks for ever", "session_timeout=3000"),
        ("state.postgresql", "connectionString", "host=db", "reads all of it for every batch", "enable_seqscan=off"),
        ("state.postgresql", "connectionString", "host=db", "all that has not expired", "enable_bitmapscan=off"),
        (
            "state.postgresql",
            "connectionString",
            POSTGRES["connectionString"] + " synchronous_commit=off",
            "may be gone after a crash",
            "Leave synchronous_commit on",
        ),
        (
            "state.postgresql",
            "connectionString",
            POSTGRES["connectionString"] + " options='-c a=1 -c b=2'",
            "ends the sidecar",
            "plain parameter of its own",
        ),
    ],
)
def test_a_setting_that_loses_messages_is_told(
    tmp_path: Path, *, type_: str, setting: str, value: object, why: str, write: str
) -> None:
    """The finding names the setting, the reason and the remedy; a missing setting means its default."""
    settings: dict[str, Any] = {name: text for name, text in SAFE[type_].items() if name != setting}
    if value is not None:
        settings[setting] = value
    sentences = judged(tmp_path, component(type_, version_of(type_), **settings), resiliency())
    (sentence,) = [sentence for sentence in sentences if why in sentence]
    assert sentence.startswith(f"0.yaml: {setting} is ")
    assert ("is not set" in sentence) is (value is None)
    assert write in sentence


def test_a_value_from_elsewhere_is_not_judged(tmp_path: Path) -> None:
    """The self-check judges values from environment variables."""
    store = component("state.postgresql", "v2")
    store["spec"]["metadata"] = [{"name": "connectionString", "envRef": "STATE_CONNECTION"}]
    assert judged(tmp_path, store) == []


@pytest.mark.parametrize(
    ("type_", "told"),
    [
        ("state.redis", "Use PostgreSQL or SQLite"),
        ("state.mongodb", "Use PostgreSQL or SQLite"),
        ("state.in-memory", "Use PostgreSQL or SQLite"),
        ("state.postgresql", "Write `version: v2`"),
        ("pubsub.in-memory", "Use components/brokers/redis.yaml"),
    ],
)
def test_a_component_that_cannot_keep_the_guarantee_is_refused(tmp_path: Path, type_: str, told: str) -> None:
    """No setting would help, so the finding names another component."""
    (sentence,) = judged(tmp_path, component(type_), resiliency())
    assert told in sentence


FOR_EVER = {"policy": "constant", "duration": "1s", "maxRetries": -1}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (resiliency({"policy": "constant", "maxRetries": 3}), "gives up after 3 retries"),
        (resiliency({"policy": "exponential", "maxRetries": -1}), "gives up after fifteen minutes"),
        (resiliency(FOR_EVER | {"matching": {"httpStatusCodes": "500"}}), "retries only some answers"),
        (resiliency(inbound={"retry": "until-done", "timeout": "5s"}), "attempts then overlap"),
        (resiliency(inbound={"retry": "until-done", "circuitBreaker": "b"}), "given up at once"),
        (resiliency(inbound={}), "has no retry policy"),
        (resiliency(inbound={"retry": "until-dnoe"}), "'until-dnoe', which is not there"),
        (resiliency(outbound={"timeout": "5s"}), "a publish that was merely slow"),
        (resiliency(outbound={"retry": "until-done"}), "a batch hangs while the broker is away"),
    ],
)
def test_a_resiliency_that_gives_messages_up_is_told(tmp_path: Path, document: dict[str, Any], told: str) -> None:
    """The unacknowledged delivery is the outbox, so no policy may give it up."""
    (sentence,) = judged(tmp_path, component("pubsub.redis", **REDIS), document)
    assert told in sentence


def test_a_broker_without_any_resiliency_is_told(tmp_path: Path) -> None:
    """There is no retry of deliveries by default."""
    (sentence,) = judged(tmp_path, component("pubsub.redis", **REDIS))
    assert "inbound of 'pubsub' has no retry policy" in sentence


@pytest.mark.parametrize("outbound", [{"retry": "until-done"}, {"timeout": "5s"}])
def test_transactions_are_neither_repeated_nor_cut_short(tmp_path: Path, outbound: dict[str, str]) -> None:
    """Only the service can tell whether a commit whose answer was lost happened."""
    document = resiliency()
    document["spec"]["targets"]["components"]["statestore"] = {"outbound": outbound}
    (sentence,) = judged(tmp_path, component("state.sqlite", **SQLITE), document)
    assert "only the service can tell" in sentence


def test_a_default_policy_counts_where_no_target_names_the_component(tmp_path: Path) -> None:
    """Dapr applies it to every component of its kind, transactions included."""
    document = resiliency()
    document["spec"] = {"policies": {"retries": {"DefaultPubsubComponentInboundRetryPolicy": FOR_EVER}, "timeouts": {}}}
    broker, store = component("pubsub.redis", **REDIS), component("state.sqlite", **SQLITE)
    assert judged(tmp_path, broker, store, document) == []
    document["spec"]["policies"]["timeouts"] = {"DefaultTimeoutPolicy": "5s"}
    sentences = judged(tmp_path, broker, store, document)
    assert [sentence.split(" has ")[0] for sentence in sentences] == [
        "0.yaml: inbound of 'pubsub'",
        "0.yaml: outbound of 'pubsub'",
        "1.yaml: outbound of 'statestore'",
    ]


def test_a_resiliency_that_stands_second_in_its_file_is_told(tmp_path: Path) -> None:
    """A sidecar ignores it in silence, and Redis then loses every failed message."""
    both = yaml.safe_dump_all([component("pubsub.redis", **REDIS), resiliency()])
    (tmp_path / "both.yaml").write_text(both)
    first, second = judge(tmp_path)
    assert "not the first document of its file" in first
    assert "has no retry policy" in second


def test_two_resiliencies_that_name_one_component_are_told(tmp_path: Path) -> None:
    """The last one that is read replaces the other, so a retry may be lost."""
    sentences = judged(tmp_path, component("pubsub.redis", **REDIS), resiliency(), resiliency(inbound={}))
    assert len(sentences) == 2
    assert "'pubsub', which 1.yaml names too" in sentences[0]
    assert "has no retry policy" in sentences[1]


def test_a_resiliency_that_leaves_an_app_out_is_told(tmp_path: Path) -> None:
    """A service that was added to the component but not to the resiliency would lose messages."""
    broker = component("pubsub.redis", **REDIS) | {"scopes": ["order", "shipping"]}
    (sentence,) = judged(tmp_path, broker, resiliency() | {"scopes": ["order"]})
    assert sentence.startswith("0.yaml: inbound of 'pubsub' for shipping has no retry policy")


def test_a_subscription_without_a_default_route_is_told(tmp_path: Path) -> None:
    """An event that no rule matches would be forgotten."""
    (sentence,) = judged(tmp_path, subscription(routes={"rules": [{"match": "true", "path": "/some"}]}))
    assert "has no default route" in sentence


def test_a_dead_letter_topic_without_an_inbound_retry_is_told(tmp_path: Path) -> None:
    """The first failure would end there."""
    sentences = judged(tmp_path, component("pubsub.redis", **REDIS), subscription(deadLetterTopic="dead"))
    assert [sentence for sentence in sentences if "every message that fails once ends there" in sentence]


def test_a_bulk_subscription_without_a_dead_letter_topic_is_told(tmp_path: Path) -> None:
    """Otherwise the sidecar would silently acknowledge messages that it cannot read."""
    (sentence,) = judged(tmp_path, subscription(bulkSubscribe={"enabled": True}))
    assert "acknowledged in silence" in sentence


@pytest.mark.parametrize(
    ("scopes", "lost"),
    [
        ({}, False),
        ({"publishingScopes": "order=orders,dead;shipping="}, False),
        ({"publishingScopes": "order=orders; shipping=dead"}, True),
        ({"publishingScopes": "order="}, True),
        ({"protectedTopics": "dead"}, True),
        ({"allowedTopics": "orders"}, True),
    ],
)
def test_a_dead_letter_topic_its_app_may_not_publish_to_is_told(
    tmp_path: Path, scopes: dict[str, str], *, lost: bool
) -> None:
    """The sidecar publishes there in the name of its app."""
    broker = component("pubsub.redis", **REDIS, **scopes)
    sentences = judged(tmp_path, broker, resiliency(), subscription(deadLetterTopic="dead"))
    assert [sentence for sentence in sentences if "may not publish to its dead letter topic" in sentence] == sentences
    assert bool(sentences) is lost


def test_a_second_subscription_of_an_app_to_a_topic_is_told(tmp_path: Path) -> None:
    """The sidecar keeps the first and ignores the rest in silence."""
    (sentence,) = judged(tmp_path, subscription("one"), subscription("two"))
    assert sentence.startswith("1.yaml: order already has a subscription to 'orders' in 0.yaml")


def test_too_few_workers_for_the_topics_of_an_app_are_told(tmp_path: Path) -> None:
    """All topics of a sidecar share the workers, so a hundred for each."""
    bulk = {"bulkSubscribe": {"enabled": True, "maxMessagesCount": 100}, "deadLetterTopic": "dead"}
    topics = [subscription(topic, topic=topic, **bulk) for topic in ("orders", "stock", "payments")]
    (sentence,) = judged(tmp_path, component("pubsub.redis", concurrency="250"), resiliency(), *topics)
    assert 'Write at least "300"' in sentence


@pytest.mark.parametrize(("pool", "told"), [("64", True), ("67", False)])
def test_too_few_connections_for_the_topics_of_an_app_are_told(tmp_path: Path, *, pool: str, told: bool) -> None:
    """Each topic's reader keeps a connection; with sixty families only one was left for publishing."""
    topics = [subscription(f"t{number}", topic=f"t{number}") for number in range(63)]
    wide = component("pubsub.redis", concurrency="6300", poolSize=pool)
    sentences = [one for one in judged(tmp_path, wide, resiliency(), *topics) if "poolSize" in one]
    assert len(sentences) == told
    assert all('Write at least "67"' in one for one in sentences)


@pytest.mark.parametrize(("kind", "few", "many"), [("pubsub.rabbitmq", 64, 210), ("pubsub.jetstream", 64, 16_400)])
def test_a_flow_that_a_few_replicas_would_shut_out_is_told(kind: str, few: int, many: int) -> None:
    """Each component opens a connection, and if the server refuses more, no sidecar becomes ready."""
    resource = Resource("pubsub.yaml", 0, "Component", "pubsub-t", {"type": kind}, ("order",), {})
    assert not list(judge_connections([resource] * few))
    (sentence,) = judge_connections([resource] * many)
    assert f"opens {many:,} connections" in sentence
    assert "room for 3 of each" in sentence


def test_how_many_connections_a_flow_opens_is_told_beside_the_limit_of_the_server() -> None:
    """The figure is for one replica, because the number of replicas is unknown."""
    resources = [
        Resource("pubsub.yaml", place, "Component", f"pubsub-{place}", {"type": "pubsub.jetstream"}, apps, {})
        for place, apps in enumerate([("order", "billing"), ("order",), ("order", "shipping")])
    ]
    (sentence,) = tell_connections(resources)
    assert sentence.startswith("order opens 3 connections to NATS with each replica")
    assert "5 together. The server takes 65,536" in sentence
    assert not list(tell_connections([replace(one, spec={"type": "pubsub.kafka"}) for one in resources]))


def test_a_file_that_is_not_yaml_is_told_and_the_others_are_judged(tmp_path: Path) -> None:
    """One slip must not hide another."""
    (tmp_path / "broken.yaml").write_text("kind: [")
    first, second = judged(tmp_path, component("state.redis"))
    assert "broken.yaml cannot be read" in first
    assert "state.redis" in second


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Otherwise a missing folder would look like one without findings."""
    (sentence,) = judge(tmp_path / "missing")
    assert "is not a folder" in sentence


@pytest.mark.parametrize(
    "folder",
    sorted({path.parent for path in rendered_flow().rglob("*.*")}),
    ids=lambda path: str(path.relative_to(rendered_flow())),
)
def test_the_rendered_files_are_accepted(folder: Path) -> None:
    """Our own files meet the rules."""
    assert judge(folder) == []
