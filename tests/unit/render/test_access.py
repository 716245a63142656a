"""The rendered permissions of each service's user on its broker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from choreography import Service
from choreography.flow import services_of
from choreography.provision import layout_of
from choreography.render import render
from choreography.render.access.grants import grants_of
from choreography.render.autoscalers import triggers_of
from choreography.render.brokers import BROKERS
from choreography.topics import TopicNaming, all_topics, published_by, subscribed_by

FLOW = "apps.checkout"
SERVICES = services_of(FLOW)
USERS = {f"checkout.{service.name}" for service in SERVICES} | {"checkout.chronicle"}


def rendered(broker: str, prefix: str = "") -> dict[str, str]:
    """Return the files about the users of one broker, by name."""
    texts = render(FLOW, broker=broker, store="sqlite", topic_prefix=prefix)
    return {path.name: text for path, text in texts.items() if path.parent.match(f"access/{broker}")}


def test_users_may_what_the_scopes_of_sidecars_say() -> None:
    """If scopes and grants differed, each could be passed where only the other refuses."""
    component = next(
        text for path, text in render(FLOW, broker="redis", store="sqlite").items() if path.name == "pubsub.yaml"
    )
    settings = {item["name"]: item.get("value", "") for item in yaml.safe_load(component)["spec"]["metadata"]}
    scopes = {
        name: {
            app: set(topics.split(","))
            for app, topics in (grant.split("=") for grant in settings[name].replace(" ", "").split(";"))
        }
        for name in ("publishingScopes", "subscriptionScopes")
    }
    grants = grants_of(SERVICES, TopicNaming("checkout"))
    assert {grant.app: set(grant.publishes) for grant in grants} == scopes["publishingScopes"]
    assert {grant.app: set(grant.hears) for grant in grants} == scopes["subscriptionScopes"]


def test_users_of_two_environments_are_two_users() -> None:
    """Otherwise the password of one environment would open the other."""
    grants = grants_of(SERVICES, TopicNaming("staging"))
    assert {grant.user for grant in grants} == {user.replace("checkout", "staging") for user in USERS}
    assert all(topic.startswith("staging.") for grant in grants for topic in grant.topics)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_user_of_redis_adds_to_its_own_streams_and_reads_what_it_hears(service: Service) -> None:
    """Reading and adding have a selector each, so that no command of one reaches a stream of the other."""
    (line,) = (
        line for line in rendered("redis")["users.conf"].splitlines() if f"user checkout.{service.name} " in line
    )
    adds, reads = re.findall(r"\(([^)]*)\)", line)
    assert adds.split()[0] == "+xadd"
    assert set(re.findall(r"~(\S+)", adds)) == {f"checkout.{topic}" for topic in published_by(service)}
    assert "+xadd" not in reads
    assert set(re.findall(r"~(\S+)", reads)) == {f"checkout.{topic}" for topic in subscribed_by(service)}


def test_no_password_is_rendered() -> None:
    """A rendered file is in a repository; a user without a password cannot log in."""
    for line in rendered("redis")["users.conf"].splitlines():
        assert not re.search(r"[ (][>#]\S|nopass", line.partition("#")[0])


def permission_of(broker: str, service: Service) -> dict[str, Any]:
    """Return the document about the user of one service, where each has one."""
    (text,) = (text for name, text in rendered(broker).items() if name in ("users.yaml", "permissions.yaml"))
    return next(one for one in yaml.safe_load_all(text) if one["metadata"]["name"] == f"checkout.{service.name}")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_user_of_kafka_writes_and_reads_its_topics_and_uses_its_own_group(service: Service) -> None:
    """It can move no other group's offsets, and make no topic."""
    acls = permission_of("kafka", service)["spec"]["authorization"]["acls"]
    for operation, topics in (("Write", published_by(service)), ("Read", subscribed_by(service))):
        granted = {
            acl["resource"]["name"]
            for acl in acls
            if operation in acl["operations"] and acl["resource"]["type"] == "topic"
        }
        assert granted == {f"checkout.{topic}" for topic in topics}
    assert [acl["resource"]["name"] for acl in acls if acl["resource"]["type"] == "group"] == [
        f"checkout.{service.name}"
    ]
    assert {operation for acl in acls for operation in acl["operations"]} <= {"Read", "Write", "Describe"}
    assert {acl["resource"]["patternType"] for acl in acls} == {"literal"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_user_of_rabbitmq_writes_to_its_own_exchanges_and_queues(service: Service) -> None:
    """A dot in a name is a dot, and a pattern matches whole names only."""
    may = permission_of("rabbitmq", service)["spec"]["permissions"]
    exchanges = {f"checkout.{topic}" for topic in all_topics(SERVICES)}
    queues = {f"{one.name}-checkout.{topic}" for one in SERVICES for topic in subscribed_by(one)}
    own = {f"{service.name}-checkout.{topic}" for topic in subscribed_by(service)}
    writes = {f"checkout.{topic}" for topic in published_by(service)}
    hears = {f"checkout.{topic}" for topic in subscribed_by(service)}
    matched = {what: {name for name in exchanges | queues if re.search(may[what], name)} for what in may}
    assert matched == {"configure": writes | hears | own, "write": writes | own, "read": hears | own}
    assert not re.search(may["write"], f"{min(writes)}.more")
    assert not re.search(may["write"], min(writes).replace(".", "x"))
    assert not re.search(may["write"], "amq.default")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_user_of_nats_makes_no_consumer_and_subscribes_to_no_stream(service: Service) -> None:
    """The server publishes a consumer's messages to any subject that the consumer names."""
    text = rendered("nats")["users.conf"]
    user = text.partition(f'user: "checkout.{service.name}"')[2].partition("user: ")[0]
    publishes, _, subscribes = user.partition("subscribe {")
    subjects = set(re.findall(r'^ +"(\S+)"$', publishes, re.MULTILINE))
    assert {one for one in subjects if not one.startswith("$JS.")} == {
        f"checkout.{topic}" for topic in published_by(service)
    }
    assert {one.split(".")[3] for one in subjects if one.startswith("$JS.API.CONSUMER")} == {"INFO"}
    assert all(f".{service.name}-checkout_" in one for one in subjects if one.startswith("$JS."))
    heard = set(re.findall(r'^ +"(\S+)"$', subscribes, re.MULTILINE))
    assert heard == {"_INBOX.>"} | {
        f"deliver.{service.name}-checkout_{topic.replace('.', '_')}" for topic in subscribed_by(service)
    }


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_user_of_nats_who_pulls_changes_nothing_and_has_an_inbox_of_its_own(service: Service) -> None:
    """Another app's deliveries arrive in an inbox that it may not listen to."""
    text = rendered("nats-pull")["users.conf"]
    user = text.partition(f'user: "checkout.{service.name}"')[2].partition("user: ")[0]
    publishes, _, subscribes = user.partition("subscribe {")
    subjects = set(re.findall(r'^ +"(\S+)"$', publishes, re.MULTILINE))
    assert {one for one in subjects if not one.startswith("$JS.")} == {
        f"checkout.{topic}" for topic in published_by(service)
    }
    asked = {".".join(one.split(".")[2:-2]) for one in subjects if one.startswith("$JS.API.CONSUMER")}
    assert asked == {"CONSUMER.INFO", "CONSUMER.MSG.NEXT"}
    consumers = {one for one in subjects if one.startswith(("$JS.API.CONSUMER", "$JS.ACK"))}
    assert all(f".{service.name}-checkout_" in one and "-pull" in one for one in consumers)
    assert set(re.findall(r'^ +"(\S+)"$', subscribes, re.MULTILINE)) == {f"_INBOX.{service.name}.>"}


@pytest.mark.parametrize(("broker", "action"), [("aws", "sns:Publish"), ("eventbridge", "events:PutEvents")])
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_role_on_aws_publishes_its_own_facts_and_reads_its_own_queues(
    service: Service, broker: str, action: str
) -> None:
    """It can change no topic, rule or queue."""
    (text,) = (text for name, text in rendered(broker).items() if name == "policies.yaml")
    policies = {one["Properties"]["ManagedPolicyName"]: one for one in yaml.safe_load(text)["Resources"].values()}
    assert policies.keys() == USERS
    statements = policies[f"checkout.{service.name}"]["Properties"]["PolicyDocument"]["Statement"]
    (publish,) = (one for one in statements if one["Action"] == [action])
    if broker == "aws":
        granted = {arn["Fn::Sub"].rpartition(":")[2] for arn in publish["Resource"]}
        assert granted == {f"checkout{topic}".replace(".", "") for topic in published_by(service)}
        queues = [arn["Fn::Sub"] for one in statements for arn in one["Resource"] if ":sqs:" in arn["Fn::Sub"]]
        assert [queue.rpartition(":")[2] for queue in queues] == [f"checkout_{service.name}"]
    else:
        types = publish["Condition"]["StringEquals"]["events:detail-type"]
        granted = {one for one in types if not one.startswith("dapr.only/")}
        assert granted == {f"checkout.{topic}" for topic in published_by(service)}
    actions = {one.partition(":")[2] for statement in statements for one in statement["Action"]}
    assert not [one for one in actions if one.startswith(("Create", "Set", "Add", "Put")) and one != "PutEvents"]


@pytest.mark.parametrize("broker", sorted(BROKERS))
def test_two_environments_on_one_broker_share_no_queue_and_no_consumer_group(broker: str) -> None:
    """Otherwise one environment's service would take the events of the other's."""
    one, other = (
        {str(trigger["metadata"]) for service in SERVICES for trigger in triggers_of(service, BROKERS[broker], names)}
        for names in (TopicNaming("checkout"), TopicNaming("staging"))
    )
    assert one
    assert not one & other


@pytest.mark.parametrize(("broker", "wanted"), [("kafka", "staging.order"), ("aws", "staging_order")])
def test_groups_and_queues_are_called_alike_by_sidecars_provisioning_and_autoscalers(
    broker: str, wanted: str, tmp_path: Path
) -> None:
    """A queue that only some of them know would fill up, and an unread group would never be drained."""
    for path, text in render(FLOW, broker=broker, topic_prefix="staging").items():
        if path.parent.name == broker and "dapr" in path.parts:
            (tmp_path / path.name).write_text(text)
    assert layout_of(tmp_path).known_as("order") == wanted
    order = next(service for service in SERVICES if service.name == "order")
    triggers = triggers_of(order, BROKERS[broker], TopicNaming("staging"))
    assert all(wanted in trigger["metadata"].values() for trigger in triggers)
