"""Checks a folder of Dapr resources by its text, for faults that no probe can see while everything goes well."""

from __future__ import annotations

from pathlib import Path

from choreography.render.connection_rules import judge_connections
from choreography.render.resiliency_rules import judge_resiliency
from choreography.render.resources import read_resources
from choreography.render.setting_rules import judge_settings
from choreography.render.subscription_rules import judge_subscriptions


def judge(folder: Path) -> list[str]:
    """Return a sentence for each fault of a folder that would lose messages or break the guarantee.

    Each sentence names the setting, the way in which it loses messages, and the right value. An empty result means that
    no fault is known.
    """
    if not folder.is_dir():
        return [
            f"{folder} is not a folder, so a sidecar would have no broker and no store. Render it, or name another."
        ]
    resources, sentences = read_resources(folder)
    for resource in resources:
        if resource.kind == "Component":
            sentences += judge_settings(resource)
    sentences += judge_resiliency(resources)
    sentences += judge_subscriptions(resources)
    sentences += judge_connections(resources)
    # If each topic has a component of its own, all of these components say the same.
    return list(dict.fromkeys(sentences))


def judge_flow(folder: Path) -> list[str]:
    """Return the sentences of `judge` for the folder of a whole flow, and a sentence if a part of it is missing."""
    if not folder.is_dir():
        return judge(folder)
    resources, _ = read_resources(folder)
    if any(one.kind == "Component" and one.type.lower().startswith("pubsub.") for one in resources):
        return judge(folder)
    # A state store may be missing: services may keep their records in a database of their own.
    missing = (
        f"{folder.name} holds no broker (a Component of type pubsub.*), so no service would hear or say anything. "
        "Render the flow, or add one from components/brokers."
    )
    return [missing, *judge(folder)]
