"""The sources of the prefix of a service's topics."""

from __future__ import annotations

import pytest

from choreography.errors import ChoreographyError
from choreography.topics import TopicNaming
from choreography.web.serving import settings_for


@pytest.mark.parametrize(
    ("module", "prefix"),
    [
        ("apps.checkout.order", "checkout"),
        ("apps.my_flow.visit", "my-flow"),
        ("shop.order", "shop"),
        ("order", ""),
    ],
)
def test_topics_begin_with_the_name_of_the_flow(monkeypatch: pytest.MonkeyPatch, module: str, prefix: str) -> None:
    """Two flows share a broker without a setting."""
    monkeypatch.delenv("CHOREOGRAPHY_TOPIC_PREFIX", raising=False)
    assert settings_for(module).topic_prefix == prefix


def test_the_environment_may_say_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments of one flow share a broker."""
    monkeypatch.setenv("CHOREOGRAPHY_TOPIC_PREFIX", "staging")
    assert settings_for("apps.checkout.order").topic_prefix == "staging"


def test_a_prefix_that_cannot_be_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which prefixes are allowed."""
    monkeypatch.setenv("CHOREOGRAPHY_TOPIC_PREFIX", "check.out")
    with pytest.raises(ChoreographyError, match="Use at most 63 lower-case letters, digits and hyphens"):
        settings_for("apps.checkout.order")


def test_only_the_flows_own_prefix_is_removed_from_what_the_broker_brings() -> None:
    """A foreign name stays as it is, and so is no topic of this flow."""
    names = TopicNaming("checkout")
    assert names.of_flow(names.on_broker("order.created")) == "order.created"
    assert names.of_flow("staging.order.created") == "staging.order.created"
    assert names.of_flow("checkout-2.order.created") == "checkout-2.order.created"
    assert TopicNaming("").of_flow("checkout.order.created") == "checkout.order.created"
