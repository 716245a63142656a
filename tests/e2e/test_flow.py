"""The flow as its chart installs it: what its pods may do, what they refuse, and that orders complete."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
import yaml
from rich.console import Console

from apps.checkout.rehearsal import rehearse
from lab import CommandError
from tests.e2e.checkout import NAMESPACE, OUTSIDE, RELEASE, SERVICES, Checkout, until

SERVERS = ("redis", "postgres", "zipkin")
EVENT = {"specversion": "1.0", "id": "forged", "source": "stranger", "type": "order.created.v1", "data": {}}


async def test_every_pod_runs_where_pod_security_is_restricted(checkout: Checkout) -> None:
    """Sidecars, servers and hooks too: the namespace would refuse another."""
    space = json.loads(await checkout.cluster.kubectl("get", "namespace", NAMESPACE, "--output", "json"))
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name in (*SERVICES, OUTSIDE, *SERVERS):
        (pod,) = await checkout.pods(name)
        ready = {status["name"] for status in pod["status"]["containerStatuses"] if status["ready"]}
        assert ready >= ({"app", "daprd"} if name in SERVICES else {"app"} if name == OUTSIDE else {name})


async def test_helms_own_test_sees_one_order_complete_and_one_compensated(checkout: Checkout) -> None:
    """A user runs this test after an installation."""
    said = await checkout.cluster.helm("test", RELEASE, "--namespace", NAMESPACE, "--timeout", "4m")
    assert re.search(r"Phase:\s+Succeeded", said)


async def test_a_rehearsal_of_a_hundred_orders_adds_up(checkout: Checkout) -> None:
    """Good orders and bad ones, with a provider that misbehaves."""
    console = Console(record=True, quiet=True, width=120)
    assert await rehearse(checkout, 100, console), console.export_text()


async def test_one_order_is_one_trace_in_zipkin(checkout: Checkout) -> None:
    """All five services are in it, and no span's parent is missing."""
    trace = uuid.uuid4().hex
    order = await checkout.order(traceparent=f"00-{trace}-{uuid.uuid4().hex[:16]}-01")
    await checkout.ended(order, "completed")

    async def spans() -> list[dict[str, Any]]:
        status, found = await checkout.get("zipkin", f"/api/v2/trace/{trace}")
        return list(found) if status == 200 else []

    found = await until(spans, lambda some: {span["localEndpoint"]["serviceName"] for span in some} >= set(SERVICES))
    assert any("order.completed.v1" in span["name"] for span in found)


async def test_a_delivery_without_the_token_is_refused(checkout: Checkout) -> None:
    """A client that reaches the port of a pod need not be its sidecar."""
    routes = yaml.safe_load(await checkout.kubectl("get", "subscriptions.dapr.io", "--output", "yaml"))["items"]
    path = routes[0]["spec"]["routes"]["default"]
    async with checkout.session.post(checkout.address("order") + path, json={"entries": []}) as answer:
        assert answer.status == 401
        assert "Only this service's own sidecar" in await answer.text()


async def test_a_publish_without_the_token_is_refused_by_the_sidecar(checkout: Checkout) -> None:
    """A process inside a pod that does not have its secrets cannot publish."""
    assert await published(checkout, "order", "checkout.order.created", token=False) == "401"


async def test_a_service_cannot_speak_in_the_name_of_another(checkout: Checkout) -> None:
    """It has the token, but the topic is not its own."""
    assert await published(checkout, "shipping", "checkout.order.created", token=True) == "403"


async def test_a_service_reads_its_own_tables_and_those_of_no_other(checkout: Checkout) -> None:
    """It uses its pod's login, in the one database that all of them share."""
    assert await asked_of_database(checkout, "shipping", "table checkout_shipping.entity_records") == "answered"
    for other in set(SERVICES) - {"shipping"}:
        said = await asked_of_database(checkout, "shipping", f"table checkout_{other}.entity_records")
        assert said == "InsufficientPrivilegeError", other
    made = await asked_of_database(checkout, "shipping", "create table checkout_shipping.mine (id int)")
    assert made == "InsufficientPrivilegeError"


async def test_a_sidecar_has_no_store_and_no_login_for_the_database(checkout: Checkout) -> None:
    """Services connect to the database themselves, so an attacker in a sidecar finds no login."""
    components = json.loads(await checkout.kubectl("get", "components.dapr.io", "--output", "json"))["items"]
    assert not [one for one in components if one["spec"]["type"].startswith("state.")]
    (pod,) = await checkout.pods("order")
    (sidecar,) = [one for one in pod["spec"]["containers"] if one["name"] == "daprd"]
    assert "database" not in {one["name"] for one in sidecar["volumeMounts"]}
    assert "choreography-database" not in json.dumps(sidecar)


async def test_a_release_whose_migration_fails_replaces_no_pod(checkout: Checkout) -> None:
    """The upgrade fails, its Job says why, and the old release keeps working."""
    before = {pod["metadata"]["uid"] for service in SERVICES for pod in await checkout.pods(service)}
    # This login may not make tables, as when somebody names the wrong Secret.
    wrong = ["ownerSecretName=choreography-database", "ownerKey=shipping"]
    with pytest.raises(CommandError, match="checkout-migrate"):
        await checkout.install(
            "defaults.env.CHOREOGRAPHY_LOG=error", *(f"defaults.database.{setting}" for setting in wrong)
        )
    said = await checkout.kubectl("logs", "job/checkout-migrate")
    assert "could not be made" in said
    assert "permission denied" in said
    await checkout.ended(await checkout.order(), "completed")
    assert before == {pod["metadata"]["uid"] for service in SERVICES for pod in await checkout.pods(service)}
    await checkout.kubectl("delete", "job", "checkout-migrate", "--cascade=foreground")


async def test_an_app_that_the_flow_does_not_know_has_no_broker(checkout: Checkout) -> None:
    """Its sidecar is in the namespace and has the token, but no component is meant for it."""
    await checkout.kubectl("apply", "--filename", "-", given=stranger(await checkout.pods("order")))
    try:
        await checkout.kubectl("wait", "pod/stranger", "--for=condition=Ready", "--timeout", "120s")
        script = publishing("checkout.order.created", token=True)
        words = ["exec", "stranger", "--container", "app", "--", "python3", "-c", script]
        assert (await checkout.kubectl(*words)).strip() in {"400", "404"}
    finally:
        await checkout.kubectl("delete", "pod", "stranger", "--wait=false")


async def test_every_pod_of_the_flow_is_held_by_a_policy_and_every_policy_holds_a_pod(checkout: Checkout) -> None:
    """This compares objects; whether a network enforces them is the network's task."""
    policies = json.loads(await checkout.kubectl("get", "networkpolicies", "--output", "json"))["items"]
    selectors = {one["metadata"]["name"]: one["spec"]["podSelector"].get("matchLabels", {}) for one in policies}
    pods = [pod["metadata"]["labels"] for pod in await checkout.pods()]
    for name in (*SERVICES, OUTSIDE):
        assert any(selects(selectors[name], labels) for labels in pods), name
        assert sum(selects(selectors["checkout-default-deny"], labels) for labels in pods) >= len(SERVICES) + 1
    held = [labels for labels in pods if any(selects(wanted, labels) for wanted in selectors.values())]
    assert held == pods


def selects(wanted: dict[str, str], labels: dict[str, str]) -> bool:
    """Tell whether a selector matches a pod."""
    return wanted.items() <= labels.items()


async def published(checkout: Checkout, service: str, topic: str, *, token: bool) -> str:
    """Publish as a process beside the service would, and return the status of the answer."""
    return await checkout.python(service, publishing(topic, token=token))


async def asked_of_database(checkout: Checkout, service: str, statement: str) -> str:
    """Query the database as a process beside the service would; return the result."""
    return await checkout.python(
        service,
        f"""
import asyncio, asyncpg, os
async def ask():
    connection = await asyncpg.connect(open(os.environ["CHOREOGRAPHY_DATABASE_FILE"]).read().strip())
    await connection.execute({statement!r})
try:
    asyncio.run(ask())
    print("answered")
except asyncpg.PostgresError as refused:
    print(type(refused).__name__)
""",
    )


def publishing(topic: str, *, token: bool) -> str:
    """Return code that publishes a forbidden event through its pod's sidecar, and prints the answer."""
    return f"""
import json, os, urllib.error, urllib.request
headers = {{"content-type": "application/cloudevents+json"}}
if {token}:
    headers["dapr-api-token"] = os.environ["DAPR_API_TOKEN"]
pubsub = os.environ["CHOREOGRAPHY_PUBSUB"].replace("{{topic}}", "{topic}")
url = f"http://127.0.0.1:3500/v1.0/publish/{{pubsub}}/{topic}"
try:
    print(urllib.request.urlopen(urllib.request.Request(url, json.dumps({EVENT!r}).encode(), headers)).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
"""


def stranger(pods: list[dict[str, Any]]) -> str:
    """A pod like one of the flow's, under an app id that the flow does not know."""
    like = pods[0]
    annotations = {
        name: value for name, value in like["metadata"]["annotations"].items() if name.startswith("dapr.io/")
    }
    app = next(one for one in like["spec"]["containers"] if one["name"] == "app")
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "stranger", "annotations": annotations | {"dapr.io/app-id": "stranger"}},
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": like["spec"]["securityContext"],
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "app",
                        "image": app["image"],
                        "command": ["python3", "-m", "http.server", "8000", "--directory", "/nowhere"],
                        "env": app["env"],
                        "securityContext": app["securityContext"],
                    }
                ],
            },
        }
    )
