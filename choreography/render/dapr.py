"""The folders of Dapr resources: one for each broker, and one for each store that services use through sidecars."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from choreography.flow import FlowError
from choreography.render import components
from choreography.render.source import Files, RenderSource, read
from choreography.render.subscriptions import subscriptions_of
from choreography.topics import STORES_FOLDER


def dapr_files(source: RenderSource) -> Files:
    """Render the files that sidecars read."""
    texts = {"dapr/config.yaml": source.component("tracing.yaml")}
    for broker in source.brokers:
        base = read(broker)
        name, said = components.name_in(base), components.subscription_metadata_in(yaml.safe_load(base))
        pubsub = components.pubsub(base, source.services, source.names)
        resiliency = components.resiliency(source.component("resiliency.yaml"), source.services, name, source.names)
        place = f"dapr/{broker.stem}"
        texts[f"{place}/pubsub.yaml"] = pubsub
        texts[f"{place}/resiliency.yaml"] = resiliency
        _add_subscriptions(texts, place, source, name, said)
    for store in source.stores:
        place = f"dapr/{STORES_FOLDER}/{store.stem}"
        texts[f"{place}/statestore.yaml"] = components.statestore(read(store), source.services)
        texts[f"{place}/resiliency.yaml"] = components.state_resiliency(
            source.component(components.STATE_RESILIENCY), source.services
        )
    return texts


def _add_subscriptions(texts: Files, place: str, source: RenderSource, pubsub: str, said: Mapping[str, str]) -> None:
    seen: set[str] = set()
    for service in source.services:
        documents = subscriptions_of(service, pubsub, said, source.names)
        if twice := seen & documents.keys():
            raise FlowError(
                f"Two subscriptions would be named {min(twice)}, so a service would never hear "
                f"one of its topics. Rename {service.name} or the topic it hears."
            )
        seen |= documents.keys()
        texts[f"{place}/subscriptions-{service.name}.yaml"] = "---\n".join(documents.values())
