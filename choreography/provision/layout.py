"""The broker's part of a folder of Dapr resources: the type of the broker, its topics, and their subscribers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from choreography.errors import ChoreographyError
from choreography.render.resources import Resource, read_resources
from choreography.topics import PUBSUB_OF_TOPIC


class ProvisionError(ChoreographyError):
    """The broker did not accept the topics and subscribers of a flow."""


@dataclass(frozen=True, slots=True)
class BrokerLayout:
    """The requirements of one flow on its broker.

    Attributes:
        kind: the type of its component, such as ``pubsub.kafka``.
        pubsub: the name of that component, or a pattern with ``{topic}`` if each topic has its own.
        topics: every topic, sorted.
        hearers: the subscribers, as pairs of app id and topic, sorted.
        settings: the settings in its file, by lower-cased name, without those that come from elsewhere.
    """

    kind: str
    pubsub: str
    topics: tuple[str, ...]
    hearers: tuple[tuple[str, str], ...]
    settings: Mapping[str, str] = field(default_factory=dict)

    def known_as(self, app: str) -> str:
        """Return the broker's name for a consuming app: its consumer group on Kafka, its queue on SQS."""
        pattern = self.settings.get("consumergroup") or self.settings.get("consumerid") or "{appID}"
        return pattern.replace("{appID}", app)


def layout_of(folder: Path) -> BrokerLayout:
    """Read a folder as a sidecar would.

    Raises:
        ProvisionError: it holds no broker, or two kinds of them.
    """
    if not folder.is_dir():
        raise ProvisionError(f"{folder} is not a folder, so nothing says what the broker needs. Render the flow first.")
    resources, unreadable = read_resources(folder)
    if unreadable:
        raise ProvisionError(" ".join(unreadable))
    brokers = [one for one in resources if one.kind == "Component" and one.type.startswith("pubsub.")]
    kinds = sorted({one.type for one in brokers})
    if len(kinds) != 1:
        raise ProvisionError(
            f"{folder} names {', '.join(kinds) or 'no broker'}, so it is unclear what to provision. "
            "Name a folder with the components of one broker, such as .run/checkout/rendered/dapr/kafka."
        )
    hearers = {
        (app, str(one.spec.get("topic"))) for one in resources if one.kind == "Subscription" for app in one.scopes
    }
    topics = sorted({*_allowed(brokers), *(topic for _, topic in hearers)})
    pubsub = brokers[0].name if len(brokers) == 1 else PUBSUB_OF_TOPIC
    settings = {name: value for name, value in brokers[0].settings.items() if value is not None}
    return BrokerLayout(kinds[0], pubsub, tuple(topics), tuple(sorted(hearers)), settings)


def _allowed(brokers: Iterable[Resource]) -> set[str]:
    return {topic for one in brokers for topic in one.text("allowedTopics").replace(" ", "").split(",") if topic}
