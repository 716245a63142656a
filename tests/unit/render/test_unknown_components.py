"""Untried components, files that no sidecar reads, and missing parts are reported, not ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from choreography.render.component_lint import judge, judge_flow
from tests.unit.render.test_component_lint import (
    JETSTREAM,
    RABBITMQ,
    REDIS,
    SQLITE,
    component,
    judged,
    resiliency,
    subscription,
)


@pytest.mark.parametrize(
    ("type_", "told"),
    [
        ("pubsub.pulsar", "was never tried with this library"),
        ("pubsub.gcp.pubsub", "choreography conform"),
        ("state.cockroachdb", "was never tried with this library"),
        ("state.aws.dynamodb", "choreography conform"),
        ("pubsub.reddis", "Did you mean pubsub.redis?"),
        ("pubsub.rabitmq", "Did you mean pubsub.rabbitmq?"),
        ("state.postgress", "Did you mean state.postgresql?"),
        ("state.my.own", "If it is a pluggable one of yours"),
        ("pubsb.redis", "Did you mean pubsub"),
        ("redis", "is none that a sidecar has"),
    ],
)
def test_a_component_that_nobody_tried_is_refused(tmp_path: Path, type_: str, told: str) -> None:
    """The finding names each, and says which name to use, or how to try it."""
    (sentence,) = [one for one in judged(tmp_path, component(type_), resiliency()) if "type" in one or type_ in one]
    assert told in sentence


def test_a_component_that_has_passed_and_says_so_is_accepted(tmp_path: Path) -> None:
    """The user who tried it knows more than this project."""
    tried = component("pubsub.pulsar")
    tried["metadata"]["annotations"] = {"choreography/conforms": "2026-11-30, Pulsar 4.0"}
    assert judged(tmp_path, tried, resiliency()) == []


@pytest.mark.parametrize("type_", ["pubsub.REDIS", "state.SQLite", "state.sqlite3", "pubsub.snssqs"])
def test_other_names_of_a_component_are_judged_as_the_component(tmp_path: Path, type_: str) -> None:
    """A sidecar treats them as the same, so the same settings lose messages."""
    assert judged(tmp_path, component(type_), resiliency())


@pytest.mark.parametrize(("type_", "settings"), [("pubsub.rabbitmq", RABBITMQ), ("pubsub.jetstream", JETSTREAM)])
def test_one_component_for_several_topics_is_told_where_each_needs_its_own(
    tmp_path: Path, type_: str, settings: dict[str, str]
) -> None:
    """On RabbitMQ this lost orders, and on JetStream the second subscription fails."""
    two = [subscription("one"), subscription("two", topic="stock")]
    (sentence,) = judged(tmp_path, component(type_, **settings), resiliency(), *two)
    assert "serves 2 topics of order" in sentence


@pytest.mark.parametrize(
    ("broker", "more", "told"),
    [
        ({}, {"pubsubname": "pubsbu"}, "Did you mean pubsub?"),
        ({"scopes": ["shipping"]}, {}, "is not in the scopes"),
        ({}, {"deadLetterTopic": "orders"}, "is its own dead letter topic"),
    ],
)
def test_a_subscription_that_is_never_made_is_told(
    tmp_path: Path, broker: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    """Nothing would ever be delivered, and no error would say so."""
    sentences = judged(tmp_path, component("pubsub.redis", **REDIS) | broker, resiliency(), subscription(**more))
    assert [one for one in sentences if told in one]


def test_one_missing_retry_is_one_sentence(tmp_path: Path) -> None:
    """Twenty components with the same defect need one repair."""
    for number in range(20):
        broker = component("pubsub.rabbitmq", **RABBITMQ)
        broker["metadata"]["name"] = f"pubsub-{number}"
        letters = subscription(str(number), topic=f"t{number}", pubsubname=f"pubsub-{number}", deadLetterTopic="dead")
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump_all([broker, letters]))
    (sentence,) = judge(tmp_path)
    assert "and 19 more" in sentence
    assert "every message that fails once ends there" in sentence


@pytest.mark.parametrize(("there", "missing"), [("state", ["holds no broker"]), ("pubsub", [])])
def test_a_folder_without_a_broker_is_refused_and_without_a_store_is_not(
    tmp_path: Path, there: str, missing: list[str]
) -> None:
    """Without a broker no event is delivered; services may keep records in a database of their own."""
    one = component("state.sqlite", **SQLITE) if there == "state" else component("pubsub.redis", **REDIS)
    judged(tmp_path, one, resiliency())
    told = [sentence for sentence in judge_flow(tmp_path) if "holds no" in sentence]
    assert len(told) == len(missing)
    assert all(words in sentence for words, sentence in zip(missing, told, strict=True))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (component("pubsub.redis") | {"kind": "Componnet"}, "Did you mean Component?"),
        (component("pubsub.redis") | {"apiVersion": "dapr.io/v1"}, "Write `apiVersion: dapr.io/v1alpha1`"),
        (component("pubsub.redis") | {"spec": []}, "its spec is []"),
        (component("pubsub.redis") | {"scopes": 5}, "its scopes is 5"),
        (component("pubsub.redis") | {"metadata": {}}, "it has no metadata.name"),
        (subscription(topic=None), "its spec.topic is None"),
        (subscription(bulkSubscribe={"enabled": True, "maxMessagesCount": "many"}), "maxMessagesCount is 'many'"),
        (subscription(routes=["/events"]), "its spec.routes is ['/events']"),
        (resiliency({"maxRetries": "ever"}), "maxRetries is 'ever'"),
        (resiliency(inbound="until-done"), "inbound is 'until-done'"),
        ({"kind": "Resiliency", "apiVersion": "dapr.io/v1alpha1", "metadata": {"name": "x"}}, "it has no spec"),
    ],
)
def test_a_document_that_no_sidecar_reads_as_it_is_meant_is_told(
    tmp_path: Path, document: dict[str, Any], told: str
) -> None:
    """The finding names the place, and never shows a stack trace."""
    assert [sentence for sentence in judged(tmp_path, document) if told in sentence]
