"""The parts of the component that need neither NATS nor a sidecar."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from choreography import broker_names
from choreography.engine.delivery import LARGEST_READ
from choreography.runtime.bodies import batches
from components.nats_pull.names import consumer_name, inbox_prefix, stream_name
from components.nats_pull.settings import KNOWN, read_settings
from components.nats_pull.streams import covers, judge_consumer, judge_stream, wanted_consumer, wanted_stream
from components.pluggable.errors import SettingsError
from components.pluggable.messages import Delivery
from components.pluggable.packing import MOST_BYTES, PACKED, pack_size, packed

ROOT = Path(__file__).parents[3]
SETTINGS = read_settings({"natsURL": "nats://127.0.0.1:4222", "consumerID": "order"})


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"natsURL": ""}, "natsURL is not set"),
        ({"natsURL": "127.0.0.1:4222"}, "addresses such as nats://host:4222"),
        ({"natsURLs": "x"}, "'natsURLs' is no setting of this component"),
        ({"durableName": "order"}, "named after consumerID and topic"),
        ({"concurrencyMode": "parallel"}, "maxInFlight says"),
        ({"memoryStorage": "true"}, "forgets at every restart"),
        ({"ackWait": "1ms"}, "a duration from 5s to 3600s"),
        ({"ackWait": "2h"}, "a duration from 5s to 3600s"),
        ({"maxInFlight": "0"}, "a whole number from 1"),
        ({"username": "order"}, "username and password belong together"),
        ({"jwt": "x"}, "seedKey, which signs for it"),
        ({"username": "a", "password": "b", "token": "c"}, "username and token are each a login"),
        ({"seedKey": "SUA"}, "no seed of an nkey"),
        ({"tls_ca_cert": "/etc/ca.pem"}, "the text of a PEM file"),
        ({"tls_client_cert": "-----BEGIN CERTIFICATE-----"}, "tls_client_cert and tls_client_key belong"),
        ({"consumerID": "a*"}, "without wildcards"),
        ({"provision": "maybe"}, '"true" or "false"'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_meant_is_refused_with_a_sentence(properties: dict[str, str], sentence: str) -> None:
    """It is refused at the start, when a person looks."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({"natsURL": "nats://127.0.0.1:4222", "consumerID": "order", **properties})
    assert sentence in str(refusal.value)


def test_settings_are_named_as_those_of_daprs_component_whatever_their_case() -> None:
    """A file is moved by changing its type."""
    settings = read_settings({"NATSUrl": "nats://a:4222, nats://b:4222", "consumerid": "order", "AckWait": "1m30s"})
    assert settings.servers == ("nats://a:4222", "nats://b:4222")
    assert (settings.ack_wait, settings.dead_letter_topic) == (90, "order-dead-letters")


def test_a_password_in_an_address_is_told_to_nobody() -> None:
    """Messages end in logs."""
    settings = read_settings({"natsURL": "nats://order:secret@host:4222", "consumerID": "order"})
    assert "secret" not in settings.place


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_library_knows_what_the_component_calls_streams_consumers_and_inboxes(app: str, topic: str) -> None:
    """Rendering cannot import the component, which is no part of the package."""
    app = app.replace(".", "")
    assert broker_names.stream_name(topic) == stream_name(topic)
    assert broker_names.pull_consumer_name(app, topic) == consumer_name(app, topic)
    assert broker_names.inbox(app) == inbox_prefix(app)


def test_every_setting_is_described_in_the_form_of_daprs_own_components() -> None:
    """Logins as profiles, as Dapr's schema has them."""
    described = yaml.safe_load((ROOT / "components/nats_pull/metadata.yaml").read_text())
    assert (described["schemaVersion"], described["type"], described["name"]) == ("v1", "pubsub", "nats-pull")
    profiles = [item for profile in described["authenticationProfiles"] for item in profile["metadata"]]
    assert {item["name"] for item in [*described["metadata"], *profiles]} == KNOWN
    page = (ROOT / "components/nats_pull/README.md").read_text()
    assert all(f"`{name}`" in page for name in KNOWN)


def test_what_the_component_makes_is_what_it_asks_for() -> None:
    """The next start has nothing to report about it."""
    stream, consumer = wanted_stream(SETTINGS, "orders"), wanted_consumer(SETTINGS, "orders")
    assert list(judge_stream(stream, stream)) == []
    assert list(judge_consumer(consumer, consumer)) == []


STREAM = StreamConfig(
    name="orders", subjects=["orders"], storage=StorageType.FILE, retention=RetentionPolicy.LIMITS, num_replicas=1
)


@pytest.mark.parametrize(
    ("config", "sentence", "loses"),
    [
        (STREAM.evolve(subjects=["payments"]), "holds payments and not orders", True),
        (STREAM.evolve(storage=StorageType.MEMORY), "kept in memory", True),
        (STREAM.evolve(retention=RetentionPolicy.INTEREST), "by interest", True),
        (STREAM.evolve(retention=RetentionPolicy.WORK_QUEUE), "by workqueue", True),
        (STREAM.evolve(no_ack=True), "acknowledges no publish", True),
        (STREAM.evolve(sealed=True), "is sealed", True),
        (STREAM.evolve(max_bytes=1000), "max_bytes=1000", True),
        (STREAM.evolve(max_msgs_per_subject=1), "max_msgs_per_subject=1", True),
        (STREAM.evolve(max_age=3600.0), "older than 3600 s", True),
        (STREAM.evolve(max_age=72 * 3600.0), "older than 72 hours", False),
        (STREAM.evolve(num_replicas=3), "kept 3 times", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_is_there_is_judged(config: StreamConfig, sentence: str, loses: bool) -> None:
    """A setting that would lose messages is refused; another difference is only reported."""
    [finding] = judge_stream(config, wanted_stream(SETTINGS, "orders"))
    assert sentence in finding.sentence
    assert finding.loses is loses


def test_a_stream_that_refuses_what_does_not_fit_may_be_bounded() -> None:
    """Its publisher is told, and nothing is lost."""
    config = STREAM.evolve(max_bytes=1000, discard=DiscardPolicy.NEW, subjects=["or*", "*"])
    assert list(judge_stream(config, wanted_stream(SETTINGS, "orders"))) == []


CONSUMER = ConsumerConfig(
    durable_name="order-orders-pull", ack_policy=AckPolicy.EXPLICIT, ack_wait=30.0, max_deliver=-1, filter_subject=""
)


@pytest.mark.parametrize(
    ("changes", "sentence", "loses"),
    [
        ({"deliver_subject": "deliver.x"}, "pushes to it", True),
        ({"ack_policy": AckPolicy.NONE}, "ack_policy is none", True),
        ({"ack_policy": AckPolicy.ALL}, "ack_policy is all", True),
        ({"filter_subject": "payments"}, "hears payments and not orders", True),
        ({"max_deliver": 5}, "after 5 deliveries", True),
        ({"inactive_threshold": 60.0}, "nobody pulls for 60 s", True),
        ({"headers_only": True}, "headers only", True),
        ({"mem_storage": True}, "kept in memory", False),
        ({"ack_wait": 60.0}, "ack_wait is 60 s", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_consumer_that_is_there_is_judged(changes: dict[str, Any], sentence: str, loses: bool) -> None:
    """A setting that would lose messages is refused; another difference is only reported."""
    [finding] = judge_consumer(CONSUMER.evolve(**changes), wanted_consumer(SETTINGS, "orders"))
    assert sentence in finding.sentence
    assert finding.loses is loses


@pytest.mark.parametrize(
    ("filter_", "subject", "does"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.>", "a.b.c", True),
        (">", "a", True),
        ("a.>", "a", False),
        ("a", "a.b", False),
        ("*", "a.b", False),
        ("a.b", "a.c", False),
    ],
)
def test_a_subject_with_wildcards_stands_for_others(filter_: str, subject: str, does: bool) -> None:
    """The component reads wildcards as NATS does."""
    assert covers(filter_, subject) is does


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20))
def test_a_pack_holds_the_bytes_that_were_put_into_it(messages: list[bytes]) -> None:
    """A service reads it like the entries of a sidecar's batch."""
    whole = packed("7", [Delivery(str(place), one, metadata={"n": "1"}) for place, one in enumerate(messages)])
    entry = {"entryId": "x", "event": base64.b64encode(whole.data).decode(), "contentType": whole.content_type}
    entries = batches.entries_of(entry)
    assert [one.event for one in entries] == messages
    assert {(one.entry_id, one.metadata["n"], one.problem) for one in entries} == {("x", "1", "")}


def test_the_library_and_the_components_agree_on_what_a_pack_is() -> None:
    """The largest pack is one that a service reads."""
    assert batches.PACKED == PACKED
    messages = [Delivery(str(place), b"x" * (MOST_BYTES // 100), metadata={"a": "b" * 60}) for place in range(100)]
    assert len(packed("1", messages).data) < LARGEST_READ


@pytest.mark.parametrize("said", ["0", "1001", "many", "-1"])
def test_a_size_of_packs_that_cannot_be_meant_is_refused(said: str) -> None:
    """It is refused where the subscription is opened."""
    with pytest.raises(SettingsError, match="a whole number from 1 to 1000"):
        pack_size({"packMessages": said, "rawPayload": "true"})


def test_a_pack_is_in_the_form_of_a_batch_of_dapr() -> None:
    """A reader of those batches can read it unchanged."""
    whole = json.loads(packed("1", [Delivery("2", b"x", "text/plain")]).data)
    assert whole["type"] == "com.dapr.event.sent.bulk"
    assert whole["entries"] == [{"entryId": "0", "event": "eA==", "contentType": "text/plain", "metadata": {}}]
