"""The folders of Dapr resources, one for each broker and store."""

from __future__ import annotations

from choreography.flow import FlowError
from choreography.render import components
from choreography.render.source import Files, Source, read
from choreography.render.subscriptions import subscriptions_of


def dapr_files(source: Source) -> Files:
    """Render what sidecars read."""
    texts = {"dapr/config.yaml": source.component("tracing.yaml")}
    resiliency = components.resiliency(source.component("resiliency.yaml"), source.services)
    for broker in source.brokers:
        pubsub = components.pubsub(read(broker), source.services)
        for store in source.stores:
            place = f"dapr/{broker.stem}-{store.stem}"
            texts[f"{place}/pubsub.yaml"] = pubsub
            texts[f"{place}/statestore.yaml"] = components.statestore(read(store), source.services)
            texts[f"{place}/resiliency.yaml"] = resiliency
            _add_subscriptions(texts, place, source)
    return texts


def _add_subscriptions(texts: Files, place: str, source: Source) -> None:
    for service in source.services:
        for name, text in subscriptions_of(service).items():
            if f"{place}/{name}" in texts:
                raise FlowError(
                    f"Two subscriptions would be written to {name}, so a service would never hear "
                    f"one of its topics. Rename {service.name} or the topic it hears."
                )
            texts[f"{place}/{name}"] = text
