"""Errors of region, credentials or endpoint are reported when the sidecar starts, in a clear message."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.components.eventbridge.emulated import File, emulated_aws, served
from tests.components.eventbridge.pod import Pod

_ROLE = "arn:aws:iam::123456789012:role/events"


@pytest.fixture(scope="module")
async def pod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pod]:
    """An emulator that checks who calls, as AWS does."""
    # The first calls need no credentials, so that a user can be created.
    async with emulated_aws(tmp_path_factory.mktemp("aws"), INITIAL_NO_AUTH_ACTION_COUNT="4") as pod:
        yield pod


@pytest.fixture(scope="module")
async def user(pod: Pod) -> dict[str, str]:
    """Credentials of a user who may do everything."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    async with pod.client("iam") as iam:
        await iam.create_user(UserName="order")
        key = (await iam.create_access_key(UserName="order"))["AccessKey"]
        await iam.put_user_policy(UserName="order", PolicyName="everything", PolicyDocument=policy)
        await iam.create_role(RoleName="events", AssumeRolePolicyDocument=policy)
    return {"accessKey": key["AccessKeyId"], "secretKey": key["SecretAccessKey"]}


@pytest.fixture
async def component(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A component in an environment without credentials."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    async with served() as component:
        yield component


@pytest.fixture
def known(component: Any, pod: Pod, user: dict[str, str]) -> File:
    """A component file without errors."""
    return File(component, pod, "pubsub", busName="known", **user)


async def test_credentials_that_aws_knows_are_taken(known: File, pod: Pod, user: dict[str, str]) -> None:
    """The bus is made at once."""
    await known.init()
    async with pod.client("events", **user) as events:
        assert (await events.describe_event_bus(Name="known"))["Name"] == "known"


@pytest.mark.parametrize(
    ("settings", "code", "sentence"),
    [
        ({"accessKey": "AKIAUNKNOWNTOTHEM000"}, grpc.StatusCode.UNAUTHENTICATED, "does not know this access key"),
        ({"secretKey": "wrong"}, grpc.StatusCode.UNAUTHENTICATED, "does not belong to this access key"),
        ({"accessKey": "", "secretKey": ""}, grpc.StatusCode.UNAUTHENTICATED, "No credentials were found"),
        (
            {"assumeRoleArn": _ROLE, "accessKey": "AKIAUNKNOWNTOTHEM000"},
            grpc.StatusCode.UNAUTHENTICATED,
            "refuses who calls",
        ),
        ({"region": "mars-north-1"}, grpc.StatusCode.INVALID_ARGUMENT, "no region of AWS has a name like this"),
        ({"region": ""}, grpc.StatusCode.INVALID_ARGUMENT, "No region is set"),
        ({"endpoint": "localhost:4566"}, grpc.StatusCode.INVALID_ARGUMENT, "must begin with http://"),
        ({"regoin": "eu-west-1"}, grpc.StatusCode.INVALID_ARGUMENT, "'regoin' is no setting.*Known are: accessKey"),
    ],
)
async def test_what_aws_would_refuse_every_time_is_refused_at_the_start(
    known: File, settings: dict[str, str], code: grpc.StatusCode, sentence: str
) -> None:
    """The sidecar prints the message, and its supervisor shows it."""
    known.settings |= settings
    with pytest.raises(grpc.aio.AioRpcError, match=sentence) as failure:
        await known.init()
    assert failure.value.code() is code


async def test_a_region_that_nobody_knows_and_where_nothing_answers_is_refused(
    known: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region that AWS opened later than this component was made is accepted, because it answers."""
    known.settings |= {"region": "eu-west-99", "endpoint": ""}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # where AWS would be
    with pytest.raises(grpc.aio.AioRpcError, match=r"'eu-west-99'.*Correct the region") as failure:
        await known.init()
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    monkeypatch.setenv("AWS_ENDPOINT_URL", known.pod.aws_url)
    await known.init()


async def test_a_role_is_assumed(known: File) -> None:
    """It uses the file's credentials; this role may do nothing, and the answer names it."""
    known.settings |= {"assumeRoleArn": _ROLE, "assumeRoleSessionName": "order"}
    await known.init()
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await known.publish("orders", b"x")
    assert "assumed-role/events/order" in str(failure.value.details())


async def test_an_aws_that_is_away_is_waited_for_and_named_when_something_is_published(
    known: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sidecar whose component fails to start ends itself, and AWS may be back in a minute."""
    monkeypatch.setattr("components.eventbridge.publishing.pause", lambda *_, **__: 0.0)
    known.settings["endpoint"] = "http://127.0.0.1:9"
    await known.init()
    with pytest.raises(grpc.aio.AioRpcError, match=r"Nothing answers there.*Check endpoint and region") as failure:
        await known.publish("orders", b"x")
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
