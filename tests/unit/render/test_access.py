"""What the user of each service may do on its broker, as it is rendered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from choreography import Service
from choreography.flow import services_of
from choreography.render import render
from choreography.render.access.grants import grants_of
from choreography.topics import Naming, published_by, subscribed_by

FLOW = "apps.checkout"
SERVICES = services_of(FLOW)
USERS = {f"checkout.{service.name}" for service in SERVICES} | {"checkout.chronicle"}


def rendered(broker: str, prefix: str = "") -> dict[str, str]:
    """Return the files about the users of one broker, by name."""
    texts = render(FLOW, broker=broker, store="sqlite", topic_prefix=prefix)
    return {
        path.name: text
        for path, text in texts.items()
        if path.parent == Path("apps/checkout/access").absolute() / broker
    }


def test_users_may_what_the_scopes_of_sidecars_say() -> None:
    """Two walls with different holes would be a wall with all of them."""
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
    grants = grants_of(SERVICES, Naming("checkout"))
    assert {grant.app: set(grant.publishes) for grant in grants} == scopes["publishingScopes"]
    assert {grant.app: set(grant.hears) for grant in grants} == scopes["subscriptionScopes"]


def test_users_of_two_environments_are_two_users() -> None:
    """Else the password of the one would open the other."""
    grants = grants_of(SERVICES, Naming("staging"))
    assert {grant.user for grant in grants} == {user.replace("checkout", "staging") for user in USERS}
    assert all(topic.startswith("staging.") for grant in grants for topic in grant.topics)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_user_of_redis_adds_to_its_own_streams_and_reads_what_it_hears(service: Service) -> None:
    """One selector each, so that no command of the one reaches a stream of the other."""
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
