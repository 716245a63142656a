"""The parts of the component that need neither AWS nor a sidecar."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from choreography.render.brokers import BROKERS, queue_of_eventbridge
from components.eventbridge import publishing
from components.eventbridge.envelope import unwrap, wrap
from components.eventbridge.names import subscription_name
from components.eventbridge.publishing import MOST_BYTES, Publisher
from components.eventbridge.queues import merged
from components.eventbridge.routes import Routes
from components.eventbridge.settings import KNOWN, Settings, read_settings
from components.pluggable.errors import SettingsError
from components.pluggable.messages import Outgoing

ROOT = Path(__file__).parents[3]
SETTINGS = Settings(consumer="order", region="eu-west-1")


@given(st.one_of(st.binary(), st.text().map(str.encode)), st.sampled_from(["", "application/json"]))
def test_bytes_arrive_as_they_were_published(data: bytes, content_type: str) -> None:
    """This holds also when EventBridge parses the event and writes it anew."""
    body = json.dumps({"id": "1", "detail": json.loads(wrap(data, content_type))})
    received = unwrap(body)
    assert received.data == data
    assert received.content_type == (content_type or "application/octet-stream")
    assert received.metadata == {"eventId": "1"}


@pytest.mark.parametrize("data", [b"\x00", "\ufffe".encode(), b"\xff\xfe", b"\x1b[0m"])
def test_what_a_queue_would_refuse_is_coded(data: bytes) -> None:
    """SQS takes only some characters, and refuses after the publish succeeded."""
    assert "daprBase64" in json.loads(wrap(data, ""))


@pytest.mark.parametrize("body", ["", "no JSON", "[]", '{"detail": 1}', '{"detail": {"daprBase64": "!"}}'])
def test_what_is_not_wrapped_is_handed_over_whole(body: str) -> None:
    """The app itself must judge another publisher's event."""
    assert unwrap(body).data == body.encode()


def _name(consumer: str, topic: str, bus: str = "shop", source: str = "dapr") -> str:
    return subscription_name(Settings(consumer=consumer, region="eu-west-1", bus=bus, source=source), topic)


_TEXT = st.text(min_size=1, max_size=90)


@given(_TEXT, _TEXT)
def test_a_name_is_readable_and_one_that_aws_takes(consumer: str, topic: str) -> None:
    """A rule may have 64 characters, of some kinds."""
    assert _name("order", "payments").startswith("order-payments-")
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", _name(consumer, topic))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("order", "a/b"), ("order", "a.b")),
        (("a-b", "c"), ("a", "b-c")),
        (("order", "payments", "shop"), ("order", "payments", "lab")),
        (("order", "payments", "shop", "dapr"), ("order", "payments", "shop", "other")),
        (("order", "x" * 100), ("order", "x" * 101)),
    ],
)
def test_no_two_subscriptions_share_a_queue(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Otherwise each would take the other's events, and the policy would admit only the last one's rule."""
    assert _name(*one) != _name(*other)


@given(_TEXT, _TEXT, _TEXT, _TEXT)
def test_autoscalers_know_a_queue_by_the_name_that_the_component_gives_it(
    bus: str, source: str, consumer: str, topic: str
) -> None:
    """Rendering cannot import the component, which is no part of the package."""
    assert queue_of_eventbridge(bus, source, consumer, topic) == _name(consumer, topic, bus, source)


def test_autoscalers_look_on_the_bus_that_the_component_file_names() -> None:
    """The library's own file."""
    file = yaml.safe_load((ROOT / "components/brokers/eventbridge.yaml").read_text())
    told = {item["name"]: item.get("value") for item in file["spec"]["metadata"]}
    assert BROKERS["eventbridge"].trigger("order", "payments", "order")["metadata"] == {
        "queueURL": _name("order", "payments", told["busName"]),
        "queueLength": "200",
        "awsRegion": "eu-west-1",
    }


def test_every_setting_is_described_in_the_form_of_daprs_own_components() -> None:
    """In a file that Dapr's schema accepts, beside the fields of the shared AWS authentication."""
    described = yaml.safe_load((ROOT / "components/eventbridge/metadata.yaml").read_text())
    assert (described["schemaVersion"], described["type"], described["name"]) == ("v1", "pubsub", "aws.eventbridge")
    assert described["builtinAuthenticationProfiles"] == [{"name": "aws"}]
    shared = {"region", "awsRegion", "accessKey", "secretKey", "sessionToken", "assumeRoleArn", "assumeRoleSessionName"}
    assert {item["name"] for item in described["metadata"]} == KNOWN - shared
    for item in described["metadata"]:
        assert {"name", "description", "example"} <= item.keys()
        if "default" in item and item["name"] in {"visibilityTimeout", "waitSeconds", "maxReceives", "maxInFlight"}:
            assert str(getattr(SETTINGS, re.sub("([A-Z])", r"_\1", item["name"]).lower())) == item["default"]


def test_a_policy_keeps_whom_others_let_in() -> None:
    """Existing statements may have a reason; our own statement is added once."""
    theirs = {"Sid": "Audit", "Effect": "Allow", "Principal": "*", "Action": "sqs:GetQueueUrl", "Resource": "q"}
    policy = merged(json.dumps({"Version": "2012-10-17", "Statement": theirs}), "q", "rule/a")
    again = json.loads(merged(policy, "q", "rule/b"))
    assert again["Statement"][0] == theirs
    assert [one["Condition"]["ArnLike"]["aws:SourceArn"] for one in again["Statement"][1:]] == ["rule/b"]


def test_settings_have_defaults_and_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty value, such as that of an unset variable, counts as missing."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    told = {"consumerID": "order", "BUSNAME": "mine", "endpoint": "", "allowedTopics": "a,b"}
    settings = read_settings(told)
    assert (settings.bus, settings.endpoint, settings.region) == ("mine", None, "eu-west-1")
    assert settings.dead_letter_queue == "order-dead-letters"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"bus": "x"}, "'bus' is no setting of this component"),
        ({"visibilityTimeout": "1"}, "whole number from 5 to 43200"),
        ({"visibilityTimeout": "30s"}, "whole number"),
        ({"endpoint": "localhost:4566"}, "must begin with http://"),
        ({"provision": "yes"}, '"true" or "false"'),
        ({"accessKey": "x"}, "belong together"),
        ({"region": ""}, "No region is set"),
        ({"region": "mars-north-1"}, "no region of AWS has a name like this.*eu-west-1"),
        ({"region": "EU-WEST-1"}, "no region of AWS has a name like this"),
        ({"awsRegion": "nowhere"}, "awsRegion is 'nowhere'"),
        ({"sessionToken": "x"}, "sessionToken belongs to accessKey"),
        ({"endpoint": "http://"}, "name a host"),
        ({"assumeRoleArn": "role"}, "must be the ARN of a role"),
        ({"trustAnchorArn": "arn:aws:x"}, "does not speak IAM Roles Anywhere"),
        ({"maxInFlight": "²"}, "whole number"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(
    told: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to write."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(SettingsError, match=sentence):
        read_settings({"consumerID": "order", "region": "eu-west-1", **told})


class _Events:
    """EventBridge with the answers of a test: an error code for each event, or an exception for the call."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers, self.calls = list(answers), list[list[str]]()

    async def put_events(self, **arguments: Any) -> dict[str, Any]:
        """Take the next answer; without any left, everything succeeds."""
        entries = arguments["Entries"]
        self.calls.append([entry["DetailType"] for entry in entries])
        answer = self.answers.pop(0) if self.answers else [""] * len(entries)
        if isinstance(answer, Exception):
            raise answer
        return {"Entries": [{"ErrorCode": code} if code else {"EventId": "1"} for code in answer]}


class _Aws:
    def __init__(self, events: _Events) -> None:
        self.events = events


def _publisher(events: _Events) -> Publisher:
    aws: Any = _Aws(events)  # stands for the connection
    return Publisher(aws, SETTINGS, Routes(aws, SETTINGS))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait between attempts."""
    monkeypatch.setattr(publishing, "pause", lambda *_, **__: 0.0)


def _events(*topics: str) -> list[Outgoing]:
    return [Outgoing(topic, b"{}") for topic in topics]


@pytest.mark.usefixtures("impatient")
async def test_only_what_was_throttled_is_put_again() -> None:
    """Events that AWS accepted are not published twice for the sake of their neighbours."""
    aws = _Events(["", "ThrottlingException", "", "InternalFailure"])
    assert await _publisher(aws).publish(_events("a", "b", "c", "d")) == {}
    assert aws.calls == [["a", "b", "c", "d"], ["b", "d"]]


@pytest.mark.usefixtures("impatient")
async def test_what_aws_refuses_for_good_is_told_and_not_tried_again() -> None:
    """The error is reported beside the successes."""
    aws = _Events(["", "MalformedDetail"])
    failures = await _publisher(aws).publish(_events("a", "b"))
    assert [(place, failure.lasting) for place, failure in failures.items()] == [(1, True)]
    assert "MalformedDetail" in failures[1].why
    assert len(aws.calls) == 1


@pytest.mark.usefixtures("impatient")
async def test_an_aws_that_stays_away_is_told_after_some_attempts() -> None:
    """The sidecar, or the app, decides how long to retry."""
    aws = _Events(*[EndpointConnectionError(endpoint_url="http://aws")] * 99)
    failures = await _publisher(aws).publish(_events("a"))
    assert not failures[0].lasting
    assert "Could not connect" in failures[0].why
    assert 1 < len(aws.calls) < 10


async def test_calls_are_cut_by_number_and_by_bytes() -> None:
    """The limits are ten events and 256 KB."""
    aws = _Events()
    assert await _publisher(aws).publish(_events(*"abcdefghijkl")) == {}
    assert [len(call) for call in aws.calls] == [10, 2]
    aws = _Events()
    large = Outgoing("large", b"x" * (MOST_BYTES // 3))
    assert await _publisher(aws).publish([large] * 5) == {}
    assert [len(call) for call in aws.calls] == [2, 2, 1]


async def test_an_event_that_is_too_large_is_refused_before_it_is_sent() -> None:
    """Its neighbours are published."""
    aws = _Events()
    failures = await _publisher(aws).publish([Outgoing("small", b"x"), Outgoing("large", b"x" * MOST_BYTES)])
    assert list(failures) == [1]
    assert "Put what is large elsewhere" in failures[1].why
    assert aws.calls == [["small"]]


async def test_calls_run_side_by_side() -> None:
    """At most eight run at once."""
    at_once, most = 0, 0

    class Slow(_Events):
        async def put_events(self, **arguments: Any) -> dict[str, Any]:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
            return await super().put_events(**arguments)

    assert await _publisher(Slow()).publish(_events(*["a"] * 200)) == {}
    assert most == 8
