"""The files that `choreography render` makes of the checkout flow."""

import dataclasses
import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from choreography import Decision, Entity, Event, Service
from choreography.errors import ChoreographyError
from choreography.flow import FlowError, services_of
from choreography.render import command, compare, components, render, write
from choreography.render.subscriptions import subscriptions_of
from choreography.topics import TopicNaming, all_topics

FLOW = "apps.checkout"
SERVICES = services_of(FLOW)
NAMES = [service.name for service in SERVICES]
ON_BROKER = TopicNaming("checkout").on_broker
BROKERS, STORES = (
    ("aws", "eventbridge", "kafka", "nats", "nats-pull", "rabbitmq", "redis"),
    ("mysql", "postgres", "sqlite"),
)
LOOKED_AT = ["redis", "kafka", "aws"]
PER_TOPIC = ["nats", "rabbitmq"]
"""Those whose files are looked at; a broker with a component for each topic is looked at below."""


def documents(folder: str) -> dict[str, Any]:
    """Read every rendered resource of one broker or store: subscriptions by name, others by file."""
    return {
        document["metadata"]["name"] if document["kind"] == "Subscription" else path.name: document
        for path, text in render(FLOW).items()
        if path.parent.name == folder and "dapr" in path.parts
        for document in yaml.safe_load_all(text)
    }


def setting(component: dict[str, Any], name: str) -> str:
    """Read one setting of a component the way Dapr does, which ignores blanks in scopes."""
    return str(next(item["value"] for item in component["spec"]["metadata"] if item["name"] == name)).replace(" ", "")


def grants(component: dict[str, Any], name: str) -> dict[str, set[str]]:
    """Read a scope list as app id to topics."""
    pairs = (grant.split("=") for grant in setting(component, name).split(";"))
    return {app: set(topics.split(",")) for app, topics in pairs}


def test_the_committed_files_are_what_the_declarations_say() -> None:
    """A fact is written in one place, so a committed file that differs is a mistake."""
    assert compare(FLOW) == []


def test_rendering_twice_gives_the_same_texts_in_the_same_order() -> None:
    """A diff shows what somebody changed, never the order of a set."""
    assert list(render(FLOW).items()) == list(render("apps/checkout/").items())


def test_every_file_says_where_it_comes_from() -> None:
    """A reader sees at once what to edit instead."""
    told = "Rendered by `choreography render apps.checkout`"
    heads = {
        ".yaml": f"# {told}; edit ",
        ".conf": f"# {told}; edit ",
        ".md": f"<!-- {told}; edit ",
        ".json": '{\n  "rendered": "By `choreography render',
    }
    for path, text in render(FLOW).items():
        assert text.startswith(heads[path.suffix]), path.name


def test_every_broker_and_every_store_is_rendered() -> None:
    """A new file in components/ is enough to run a flow on it."""
    folders = {path.parent for path in render(FLOW) if "dapr" in path.parts}
    assert {one.name for one in folders if one.parent.name == "dapr"} == set(BROKERS)
    assert {one.name for one in folders if one.parent.name == "stores"} == set(STORES)


def test_a_sidecar_keeps_no_series_of_its_own_for_every_deadline() -> None:
    """Job names are part of paths, and a sidecar would keep each path as a metric label for ever."""
    (text,) = (text for path, text in render(FLOW).items() if path.name == "config.yaml")
    assert yaml.safe_load(text)["spec"]["metrics"] == {"enabled": True, "http": {"increasedCardinality": False}}


@pytest.mark.parametrize("broker", LOOKED_AT)
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_a_service_has_one_subscription_for_each_topic_it_needs(service: Service, broker: str) -> None:
    """A second one for the same topic would be silently ignored."""
    mine = [
        document
        for document in documents(broker).values()
        if document["kind"] == "Subscription" and service.name in document["scopes"]
    ]
    own = {f"{service.name}-canary", f"{service.name}-undelivered"}
    if service.effects:
        own.add(f"{service.name}-intents")
    assert Counter(one["spec"]["topic"] for one in mine) == Counter(map(ON_BROKER, {*service.hears, "nudges", *own}))
    assert all(one["scopes"] == [service.name] for one in mine)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_what_a_service_hears_comes_in_bulk_and_ends_at_its_own_undelivered_topic(service: Service) -> None:
    """A default route and a dead letter topic keep the sidecar from dropping undeliverable events."""
    for text in subscriptions_of(service).values():
        spec = yaml.safe_load(text)["spec"]
        assert spec["pubsubname"] == "pubsub"
        if spec["topic"] == f"{service.name}-undelivered":
            assert spec["routes"] == {"default": "/undelivered"}
            assert spec["metadata"] == {"rawPayload": "true"}
            assert spec["bulkSubscribe"] == {"enabled": True, "maxMessagesCount": 10, "maxAwaitDurationMs": 1}
            assert "deadLetterTopic" not in spec
        else:
            assert spec["routes"] == {"default": "/events"}
            assert spec["bulkSubscribe"] == {"enabled": True, "maxMessagesCount": 100, "maxAwaitDurationMs": 1}
            assert spec["deadLetterTopic"] == f"{service.name}-undelivered"


@pytest.mark.parametrize("broker", LOOKED_AT)
def test_nothing_is_delivered_alone(broker: str) -> None:
    """A message that is delivered alone carries its metadata in a header, whose size servers limit."""
    subscriptions = [one for one in documents(broker).values() if one["kind"] == "Subscription"]
    assert subscriptions
    assert [one["metadata"]["name"] for one in subscriptions if not one["spec"]["bulkSubscribe"]["enabled"]] == []


@pytest.mark.parametrize("broker", LOOKED_AT)
def test_every_app_id_is_in_both_scope_lists(broker: str) -> None:
    """An app that is not in a list would be allowed every unprotected topic."""
    pubsub = documents(broker)["pubsub.yaml"]
    for scope in ("publishingScopes", "subscriptionScopes"):
        assert list(grants(pubsub, scope)) == [*NAMES, "chronicle"]
    assert pubsub["scopes"] == [*NAMES, "chronicle"]


def test_a_service_may_publish_to_its_own_topics_only() -> None:
    """Each family of events has one publisher, so no service can publish events of another."""
    publishing = grants(documents("redis")["pubsub.yaml"], "publishingScopes")
    for service in SERVICES:
        kinds = ("canary", "undelivered", "dead-letters", *(("intents",) if service.effects else ()))
        own = {f"{service.name}-{kind}" for kind in kinds}
        assert publishing[service.name] == set(map(ON_BROKER, {*service.topics, *own}))


def test_a_service_may_hear_what_it_declares_and_nothing_else() -> None:
    """A service consumes only what it declares, also if somebody changes its files."""
    hearing = grants(documents("redis")["pubsub.yaml"], "subscriptionScopes")
    for service in SERVICES:
        kinds = ("canary", "undelivered", *(("intents",) if service.effects else ()))
        own = {f"{service.name}-{kind}" for kind in kinds}
        assert hearing[service.name] == set(map(ON_BROKER, {*service.hears, "nudges", *own}))


def test_the_chronicle_may_hear_everything_and_say_nothing_but_nudges() -> None:
    """Nothing depends on the observer, so it must not be able to act."""
    pubsub = documents("redis")["pubsub.yaml"]
    assert grants(pubsub, "publishingScopes")["chronicle"] == {"checkout.nudges"}
    assert grants(pubsub, "subscriptionScopes")["chronicle"] == set(map(ON_BROKER, all_topics(SERVICES)))


def test_every_topic_is_protected_and_no_other_is_allowed() -> None:
    """An undeclared topic is a spelling mistake."""
    pubsub = documents("redis")["pubsub.yaml"]
    for name in ("protectedTopics", "allowedTopics"):
        assert setting(pubsub, name).split(",") == list(map(ON_BROKER, all_topics(SERVICES)))


def per_topic(broker: str) -> dict[str, dict[str, Any]]:
    """Read the components of a broker that has one for each topic, by topic."""
    (text,) = (text for path, text in render(FLOW, broker=broker, store="sqlite").items() if path.name == "pubsub.yaml")
    return {one["metadata"]["name"].removeprefix("pubsub-"): one for one in yaml.safe_load_all(text)}


@pytest.mark.parametrize("broker", PER_TOPIC)
def test_a_broker_may_have_a_component_for_each_topic(broker: str) -> None:
    """Each subscription names its own component, and the sidecar retries for each of them."""
    assert sorted(per_topic(broker)) == list(map(ON_BROKER, all_topics(SERVICES)))
    resources = documents(broker)
    subscriptions = [one for one in resources.values() if one["kind"] == "Subscription"]
    assert all(one["spec"]["pubsubname"] == f"pubsub-{one['spec']['topic']}" for one in subscriptions)
    targets = resources["resiliency.yaml"]["spec"]["targets"]["components"]
    for topic in all_topics(SERVICES):
        assert targets[f"pubsub-{ON_BROKER(topic)}"] == {
            "inbound": {"retry": "until-done"},
            "outbound": {"retry": "briefly"},
        }
    assert "statestore" not in targets


@pytest.mark.parametrize("broker", PER_TOPIC)
def test_a_component_of_one_topic_is_for_those_who_say_or_hear_it(broker: str) -> None:
    """Each may publish its own events there, and dead-letter events that it cannot deliver."""
    created, canary = (per_topic(broker)[f"checkout.{topic}"] for topic in ("order.created", "order-canary"))
    assert grants(created, "publishingScopes") == {
        "order": {"checkout.order.created", "checkout.order-undelivered"},
        "inventory": {"checkout.inventory-undelivered"},
        "billing": {"checkout.billing-undelivered"},
        "chronicle": {""},
    }
    assert grants(canary, "subscriptionScopes") == {
        "order": {"checkout.order-canary"},
        "chronicle": {"checkout.order-canary"},
    }
    assert canary["scopes"] == ["order", "chronicle"]


def test_streams_and_consumers_of_nats_have_no_dots_in_their_names() -> None:
    """NATS refuses them; the subject is the topic as it is."""
    created = per_topic("nats")["checkout.order.created"]
    assert setting(created, "streamName") == "checkout_order_created"
    assert setting(created, "durableName") == setting(created, "queueGroupName") == "{appID}-checkout_order_created"


def test_another_prefix_gives_every_topic_and_group_another_name_and_nothing_else() -> None:
    """Two environments share a broker, and neither consumes the other's events."""
    for broker in LOOKED_AT:
        usual = render(FLOW, broker=broker)
        staging = render(FLOW, broker=broker, topic_prefix="staging")
        folder = next(path.parent for path in usual if path.parent.name == broker and "dapr" in path.parts)
        for name in ("pubsub.yaml", "subscriptions-order.yaml"):
            assert "checkout" not in staging[folder / name].replace("apps.checkout", "")
            renamed = re.sub(r"(?<!apps\.)checkout(?=[._])", "staging", usual[folder / name])
            assert staging[folder / name] == renamed


@pytest.mark.parametrize("prefix", ["Staging", "a.b", "my_flow", "9", "-", "x" * 64])
def test_a_prefix_that_not_every_broker_accepts_is_refused(prefix: str) -> None:
    """The end of the prefix must also be clear."""
    with pytest.raises(ChoreographyError, match="cannot be the prefix of topics"):
        render(FLOW, broker="redis", store="sqlite", topic_prefix=prefix)


def test_what_only_a_subscription_can_say_is_said_by_the_brokers_file() -> None:
    """The subscription asks for a quorum queue."""
    for name, one in documents("rabbitmq").items():
        if one["kind"] == "Subscription":
            assert one["spec"]["metadata"] == {"queueType": "quorum", "rawPayload": "true"}, name


@pytest.mark.parametrize("store", STORES)
def test_only_the_services_may_use_the_store(store: str) -> None:
    """The chronicle sees events, never state."""
    assert documents(store)["statestore.yaml"]["scopes"] == NAMES


@pytest.mark.parametrize("store", STORES)
def test_a_store_of_sidecars_brings_along_what_they_do_when_it_fails(store: str) -> None:
    """They do not retry, as only the service can tell whether a commit with a lost reply happened."""
    policy = documents(store)["resiliency.yaml"]
    assert policy["spec"]["targets"]["components"] == {"statestore": {"outbound": {}}}
    assert policy["scopes"] == NAMES


@pytest.mark.parametrize("broker", BROKERS)
def test_the_files_of_a_broker_say_nothing_of_a_store(broker: str) -> None:
    """Services connect to their database themselves, so a sidecar has no store."""
    assert "statestore" not in yaml.safe_dump(list(documents(broker).values()))


def test_the_resiliency_holds_for_every_app_of_the_flow_and_no_other() -> None:
    """In a shared namespace each flow keeps its own."""
    assert documents("redis")["resiliency.yaml"]["scopes"] == [*NAMES, "chronicle"]


@pytest.mark.parametrize("broker", LOOKED_AT)
def test_a_file_holds_one_resource_of_a_name_of_its_own(broker: str) -> None:
    """A sidecar silently ignores a file's second Resiliency, and the second subscription of a name."""
    named = [(document["kind"], document["metadata"]["name"]) for document in documents(broker).values()]
    assert len(named) == len(set(named))


def test_a_flow_that_is_not_there_is_refused_by_name() -> None:
    """The message says how to name a flow."""
    with pytest.raises(FlowError, match=r"There is no package 'apps.chekout'.*apps.checkout"):
        render("apps.chekout")


def test_a_broker_without_a_file_is_refused_and_the_known_ones_are_listed() -> None:
    """Nothing is rendered with settings that were not checked."""
    with pytest.raises(
        FlowError,
        match=r"brokers/pigeon.yaml is not in .*\(aws, eventbridge, kafka, nats-pull, nats, rabbitmq, redis\)",
    ):
        render(FLOW, broker="pigeon")


def test_a_component_file_that_cannot_be_completed_is_refused() -> None:
    """A scope in the wrong place would protect nothing."""
    base = "kind: Component\nmetadata:\n  name: pubsub\nspec:\n  metadata: []\n  type: pubsub.redis\n"
    with pytest.raises(ChoreographyError, match=r"does not end with the list spec\.metadata"):
        components.pubsub(base, SERVICES)
    with pytest.raises(ChoreographyError, match="exactly one component, named 'pubsub'"):
        components.pubsub(base.replace("name: pubsub", "name: mine"), SERVICES)


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A copy of the checkout flow in a folder that a test may change."""

    flow: str
    folder: Path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """Write a flow of one service beside a copy of components/."""
    root = Path(command.__file__).parents[2]
    for file in (root / "components").rglob("*.yaml"):
        copy = tmp_path / "components" / file.relative_to(root / "components")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text())
    # Each copy has a name of its own, because Python remembers imported modules.
    package = tmp_path / f"flow_in_{tmp_path.name}"
    # A flow with a folder `dapr` keeps its rendered files there, in version control.
    (package / "dapr").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "shipping.py").write_text('from choreography import Service\n\nshipping = Service("shipping")\n')
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return Elsewhere(package.name, package / "dapr")


def test_a_file_that_is_missing_changed_or_stray_is_told(elsewhere: Elsewhere) -> None:
    """Each gets a message, so that a failed build says what to do."""
    write(elsewhere.flow)
    (elsewhere.folder / "config.yaml").unlink()
    (elsewhere.folder / "redis" / "pubsub.yaml").write_text("edited: by hand\n")
    (elsewhere.folder / "redis" / "second.yaml").write_text("kind: Resiliency\n")
    again = f"Run `choreography render {elsewhere.flow}`."
    assert compare(elsewhere.flow) == [
        f"{elsewhere.flow}/dapr/config.yaml is missing. {again}",
        f"{elsewhere.flow}/dapr/redis/pubsub.yaml differs from what the declarations say. {again}",
        (
            f"{elsewhere.flow}/dapr/redis/second.yaml is not rendered from anything, but a sidecar would "
            "read it. Remove it."
        ),
    ]


def test_beside_pages_and_manifests_a_person_may_keep_files(elsewhere: Elsewhere) -> None:
    """Only files that were once rendered and no longer are, are reported and removed."""
    write(elsewhere.flow)
    docs = elsewhere.folder.parent / "docs"
    (docs / "why.md").write_text("# Written by a person\n")
    (docs / "gone.md").write_text("<!-- Rendered by `choreography render` once upon a time. -->\n")
    (told,) = compare(elsewhere.flow)
    assert "docs/gone.md was rendered once and nothing asks for it any more" in told
    assert write(elsewhere.flow) == [docs / "gone.md"]
    assert (docs / "why.md").exists()


def test_writing_removes_what_was_rendered_once_and_leaves_what_was_not(elsewhere: Elsewhere) -> None:
    """A subscription to a topic without reactions would go on receiving it."""
    write(elsewhere.flow)
    stale = elsewhere.folder / "redis" / "subscriptions-gone.yaml"
    stale.write_text("# Rendered by `choreography render` once upon a time.\n")
    foreign = elsewhere.folder / "redis" / "notes.yaml"
    foreign.write_text("mine: yes\n")
    assert write(elsewhere.flow) == [stale]
    assert foreign.exists()


class StockSaid(Event, owner="stock", subject="text", type="stock.said.v1"):
    """Something on one topic."""

    text: str


class OrderStockSaid(Event, owner="order-stock", subject="text", type="order-stock.said.v1"):
    """Something on a topic whose name begins with that of the service that hears it."""

    text: str


class Note(Entity, key="text"):
    """What was heard."""

    text: str


def test_topics_with_similar_names_keep_files_of_their_own() -> None:
    """If one file overwrote the other, one topic would never be consumed."""
    order = Service("order")

    @order.on(StockSaid)
    def hear_stock(note: Note, said: StockSaid) -> Decision:
        return note.but(text=said.text)

    @order.on(OrderStockSaid)
    def hear_order_stock(note: Note, said: OrderStockSaid) -> Decision:
        return note.but(text=said.text)

    topics = [yaml.safe_load(text)["spec"]["topic"] for text in subscriptions_of(order).values()]
    assert sorted(topics) == ["nudges", "order-canary", "order-stock.said", "order-undelivered", "stock.said"]
