"""The component types of a sidecar, those that were tried here, and the finding about every other type."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from choreography.render.resources import Resource

CONFORMS: Final = "choreography/conforms"
"""The annotation by which a component says when, and on what, it has passed `choreography conform`."""

TRIED: Final = {
    "pubsub": ("aws.eventbridge", "aws.snssqs", "jetstream", "kafka", "nats-pull", "rabbitmq", "redis"),
    "state": ("mysql", "postgresql", "sqlite"),
}
_OTHERS: Final = {
    "pubsub": [
        "azure.eventhubs",
        "azure.servicebus.queues",
        "azure.servicebus.topics",
        "eventbridge",
        "gcp.pubsub",
        "in-memory",
        "kubemq",
        "mqtt3",
        "pulsar",
        "rocketmq",
        "solace.amqp",
    ],
    "state": [
        "aerospike",
        "alicloud.tablestore",
        "aws.dynamodb",
        "azure.blobstorage",
        "azure.cosmosdb",
        "azure.tablestorage",
        "cassandra",
        "clickhouse",
        "cloudflare.workerskv",
        "cockroachdb",
        "coherence",
        "couchbase",
        "etcd",
        "gcp.firestore",
        "hashicorp.consul",
        "hazelcast",
        "in-memory",
        "jetstream",
        "memcached",
        "mongodb",
        "oci.objectstorage",
        "oracledatabase",
        "ravendb",
        "redis",
        "rethinkdb",
        "sqlserver",
        "zookeeper",
    ],
}
_CATEGORIES: Final = [
    "bindings",
    "configuration",
    "conversation",
    "crypto",
    "lock",
    "middleware",
    "nameresolution",
    "pubsub",
    "secretstores",
    "state",
    "workflowbackend",
]
_ALIASES: Final = {
    "pubsub.azure.servicebus": "pubsub.azure.servicebus.topics",
    "pubsub.azure.servicebusqueues": "pubsub.azure.servicebus.queues",
    "pubsub.eventbridge": "pubsub.aws.eventbridge",
    "pubsub.mqtt": "pubsub.mqtt3",
    "pubsub.snssqs": "pubsub.aws.snssqs",
    "state.consul": "state.hashicorp.consul",
    "state.postgres": "state.postgresql",
    "state.sqlite3": "state.sqlite",
}


def type_of(component: Resource) -> str:
    """Return the type of a component in the spelling used here: a sidecar accepts aliases and other cases too."""
    kind = component.type.strip().lower()
    return _ALIASES.get(kind, kind)


def judge_type(component: Resource) -> Iterator[str]:
    """Yield a sentence if it is unknown how a component treats messages or state."""
    kind = type_of(component)
    category, _, name = kind.partition(".")
    if category not in _CATEGORIES or not name:
        every = [*_CATEGORIES, *(f"{one}.{known}" for one in TRIED for known in TRIED[one])]
        yield (
            f"{component.file}: the type {component.type!r} is none that a sidecar has, so it ends at its start."
            f"{_near(kind, every)} Write one such as pubsub.redis or state.postgresql."
        )
        return
    if category not in TRIED or name in TRIED[category]:
        return
    tried = ", ".join(f"{category}.{one}" for one in TRIED[category])
    if component.annotations.get(CONFORMS, "").strip():
        return
    if name in _OTHERS[category]:
        yield (
            f"{component.file}: {component.type} was never tried with this library, so nobody knows whether it loses "
            f"what it was given. Try it on its real server: `choreography conform {component.file}`; once "
            f'everything passes, say so in its annotations: `{CONFORMS}: "<day, server and version>"`. '
            f"Or take one that was tried: {tried}."
        )
        return
    known = [f"{category}.{one}" for one in (*TRIED[category], *_OTHERS[category])]
    yield (
        f"{component.file}: {component.type} is no component that a sidecar has.{_near(kind, known)} Tried ones are "
        f"{tried}. If it is a pluggable one of yours, try it (`choreography conform`) and say so in its annotations: "
        f'`{CONFORMS}: "<day, server and version>"`.'
    )


def _near(kind: str, known: list[str]) -> str:
    near = get_close_matches(kind, known, 1, cutoff=0.75)
    return f" Did you mean {near[0]}?" if near else ""
