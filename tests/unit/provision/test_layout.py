"""The topics and queues that a broker needs follow from the sidecars' files."""

import asyncio
from pathlib import Path

import pytest

from choreography.flow import services_of
from choreography.provision import BrokerLayout, ProvisionError, layout_of, provision
from choreography.topics import PUBSUB, PUBSUB_OF_TOPIC, TopicNaming, all_topics, subscribed_by
from tests.rendered_flow import rendered_flow

RENDERED = rendered_flow() / "dapr"
SERVICES = services_of("apps.checkout")
ON_BROKER = TopicNaming("checkout").on_broker


@pytest.mark.parametrize(
    ("folder", "kind", "pubsub"),
    [
        ("kafka", "pubsub.kafka", PUBSUB),
        ("rabbitmq", "pubsub.rabbitmq", PUBSUB_OF_TOPIC),
        ("nats", "pubsub.jetstream", PUBSUB_OF_TOPIC),
    ],
)
def test_a_rendered_folder_says_all_that_is_needed(folder: str, kind: str, pubsub: str) -> None:
    """It names every topic and its consumers."""
    layout = layout_of(RENDERED / folder)
    assert (layout.kind, layout.pubsub, layout.topics) == (kind, pubsub, tuple(map(ON_BROKER, all_topics(SERVICES))))
    assert set(layout.hearers) == {
        (service.name, ON_BROKER(topic)) for service in SERVICES for topic in subscribed_by(service)
    }


def test_a_folder_without_a_broker_is_refused(tmp_path: Path) -> None:
    """A missing folder is refused too."""
    with pytest.raises(ProvisionError, match="names no broker"):
        layout_of(tmp_path)
    with pytest.raises(ProvisionError, match="is not a folder"):
        layout_of(tmp_path / "missing")


def test_a_folder_with_two_brokers_is_refused(tmp_path: Path) -> None:
    """It would be unclear to which broker the topics belong."""
    for kind in ("kafka", "redis"):
        (tmp_path / f"{kind}.yaml").write_text(
            f"kind: Component\nmetadata:\n  name: {kind}\nspec:\n  type: pubsub.{kind}\n  metadata: []\n"
        )
    with pytest.raises(ProvisionError, match=r"names pubsub\.kafka, pubsub\.redis"):
        layout_of(tmp_path)


def test_a_broker_that_nobody_knows_is_refused_and_the_known_ones_are_listed() -> None:
    """No part of the layout is made."""
    with pytest.raises(ProvisionError, match=r"can provision 'pubsub\.pigeon'\. Known are: .*pubsub\.kafka"):
        asyncio.run(provision(BrokerLayout("pubsub.pigeon", PUBSUB, ("orders",), ()), "nowhere"))


def test_redis_needs_nothing() -> None:
    """Its streams keep unread events."""
    (sentence,) = asyncio.run(provision(BrokerLayout("pubsub.redis", PUBSUB, ("orders",), ()), "nowhere"))
    assert "needs nothing" in sentence


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("pubsub.kafka", "127.0.0.1:1"),
        ("pubsub.rabbitmq", "amqp://guest:guest@127.0.0.1:1/"),
        ("pubsub.jetstream", "nats://127.0.0.1:1"),
    ],
)
def test_a_broker_that_does_not_answer_is_told_in_a_sentence(kind: str, address: str) -> None:
    """The message says what to look at."""
    with pytest.raises(ProvisionError, match=r"(Kafka|RabbitMQ|NATS).* did not make"):
        asyncio.run(provision(BrokerLayout(kind, PUBSUB, ("orders",), (("order", "orders"),)), address))
