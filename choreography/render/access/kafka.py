"""Kafka: a user for each service, with access control lists for its topics and its consumer group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from choreography.broker_names import consumer_group
from choreography.render.access.grants import Grant
from choreography.render.source import as_yaml

_HEAD: Final = """\
# Users and access control lists as Strimzi's user operator takes them, which draws the passwords too. Without it,
# `kafka-configs.sh --alter --add-config SCRAM-SHA-512=...` makes a user, and `kafka-acls.sh --add` a line of its list.
# The sidecar of a service takes its user and password from KAFKA_USERNAME and KAFKA_PASSWORD.
# Nobody may make topics: an administrator does (`choreography provision`).
"""


def permissions(grants: Sequence[Grant]) -> str:
    """Return one document of YAML for each user."""
    return _HEAD + "---\n".join(as_yaml(_user(grant)) for grant in grants)


def _user(grant: Grant) -> dict[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1beta2",
        "kind": "KafkaUser",
        "metadata": {"name": grant.user, "labels": {"strimzi.io/cluster": "kafka"}},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": list(_acls(grant))},
        },
    }


def _acls(grant: Grant) -> Iterator[dict[str, Any]]:
    for topic in grant.topics:
        may = {"Write": topic in grant.publishes, "Read": topic in grant.hears}
        yield _acl("topic", topic, [*(name for name, granted in may.items() if granted), "Describe"])
    yield _acl("group", consumer_group(grant.user), ["Read"])


def _acl(kind: str, name: str, operations: Sequence[str]) -> dict[str, Any]:
    return {"resource": {"type": kind, "name": name, "patternType": "literal"}, "operations": operations}
