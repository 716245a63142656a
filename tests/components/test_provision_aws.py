"""Provisioning of AWS, on an emulator that speaks real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session

from choreography.provision import BrokerLayout, ProvisionError, provision
from choreography.provision.aws_account import Account, account_at
from choreography.render.brokers import queue_of_eventbridge
from choreography.up.brokers import moto
from choreography.up.ports import Ports
from choreography.up.processes import Processes

HEARERS = (("billing", "orders"), ("order", "orders-canary"), ("order", "payments"))
TOPICS = ("nobodys", "orders", "orders-canary", "payments")


class Place:
    """A folder for a server."""

    def __init__(self, root: Path) -> None:
        self.root, self.ports = root, Ports(root / "ports.json")

    def port(self, name: str) -> int:
        """The port called `name`."""
        return self.ports.of(name)

    def folder(self, name: str) -> Path:
        """A folder below."""
        return self.root / name

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.root / f"{name}.log"


@pytest.fixture(scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    """An emulator."""
    place = Place(tmp_path_factory.mktemp("aws"))
    async with Processes() as processes:
        [process] = processes.wave([moto.server(place, "aws")])
        await process.start()
        await process.until_ready()
        yield place.port("aws")
    place.ports.release()


def _client(name: str, port: int) -> Any:
    told = moto.told(port)
    return get_session().create_client(
        name,
        region_name=told["AWS_REGION"],
        endpoint_url=told["AWS_ENDPOINT"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
    )


async def _bodies(sqs: Any, queue: str) -> list[Any]:
    url = (await sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    answer = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


async def test_sns_keeps_what_is_published_before_anybody_subscribes(port: int) -> None:
    """A second run makes nothing more, and every topic may send to its queue."""
    layout = BrokerLayout("pubsub.aws.snssqs", "pubsub", TOPICS, HEARERS)
    told = await provision(layout, moto.address(port))
    assert told == [
        "SQS queue billing on SNS topic orders",
        "SQS queue order on SNS topic orders-canary",
        "SQS queue order on SNS topic payments",
    ]
    async with _client("sns", port) as sns, _client("sqs", port) as sqs:
        before = len((await sns.list_subscriptions())["Subscriptions"])
        assert await provision(layout, moto.address(port)) == told
        assert len((await sns.list_subscriptions())["Subscriptions"]) == before == len(HEARERS)
        topics = [topic["TopicArn"] for topic in (await sns.list_topics())["Topics"]]
        assert sorted(arn.rpartition(":")[2] for arn in topics) == sorted(TOPICS)
        [payments] = [arn for arn in topics if arn.endswith(":payments")]
        await sns.publish(TopicArn=payments, Message="early")
        assert [body["Message"] for body in await _bodies(sqs, "order")] == ["early"]
        url = (await sqs.get_queue_url(QueueName="order"))["QueueUrl"]
        found = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert found["MessageRetentionPeriod"] == "1209600"
    let_in = [one["Condition"]["ArnEquals"]["aws:SourceArn"] for one in json.loads(found["Policy"])["Statement"]]
    assert sorted(arn.rpartition(":")[2] for arn in let_in) == ["orders-canary", "payments"]


@pytest.mark.parametrize(("kind", "bus"), [("pubsub.aws.eventbridge", "flow"), ("pubsub.eventbridge", "former")])
async def test_eventbridge_keeps_what_is_published_before_anybody_subscribes(port: int, kind: str, bus: str) -> None:
    """The component makes its rules and queues itself, with the settings of its file. It had another type once."""
    layout = BrokerLayout(kind, "pubsub", TOPICS, HEARERS, {"busname": bus, "maxreceives": "1000"})
    told = await provision(layout, moto.address(port))
    names = {(app, topic): queue_of_eventbridge(bus, "dapr", app, topic) for app, topic in HEARERS}
    assert told == [f"EventBridge rule and queue {names[hearer]} on bus {bus}" for hearer in HEARERS]
    assert await provision(layout, moto.address(port)) == told
    async with _client("events", port) as events, _client("sqs", port) as sqs:
        entry = {"EventBusName": bus, "Source": "dapr", "DetailType": "payments", "Detail": "{}"}
        await events.put_events(Entries=[entry])
        assert [body["detail-type"] for body in await _bodies(sqs, names["order", "payments"])] == ["payments"]
        assert await _bodies(sqs, names["billing", "orders"]) == []
        url = (await sqs.get_queue_url(QueueName=names["order", "payments"]))["QueueUrl"]
        found = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert json.loads(found["RedrivePolicy"])["maxReceiveCount"] == 1000


async def test_a_setting_that_the_component_does_not_know_is_told(port: int) -> None:
    """The message is the component's own."""
    layout = BrokerLayout("pubsub.aws.eventbridge", "pubsub", TOPICS, HEARERS, {"bus": "flow"})
    with pytest.raises(ProvisionError, match="'bus' is no setting of this component"):
        await provision(layout, moto.address(port))


def test_an_address_is_a_region_or_an_emulator() -> None:
    """For AWS only the region is needed, as credentials come from the sources of AWS's own tools."""
    assert account_at("eu-west-1") == Account("eu-west-1")
    assert account_at("http://key:s%2Fecret@localhost:5000/eu-west-1") == Account(
        "eu-west-1", "http://localhost:5000", "key", "s/ecret"
    )


@pytest.mark.parametrize("address", ["", "localhost:5000", "http://localhost:5000", "ftp://localhost/eu-west-1"])
def test_an_address_that_is_neither_is_refused(address: str) -> None:
    """The message shows an example of both."""
    with pytest.raises(ProvisionError, match="eu-west-1"):
        account_at(address)
