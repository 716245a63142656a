"""The few calls of the Dapr SDK that every service of the quickstart makes."""

import json
from collections.abc import Callable
from typing import Any

import grpc
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions
from pydantic import BaseModel

PUBSUB = "pubsub"
STORE = "statestore"
_CONFLICTS = ("already exists", "no item was updated")

client = DaprClient()


class CloudEvent(BaseModel):
    """An event as the sidecar delivers it."""

    id: str
    type: str
    data: dict[str, Any]


def load(key: str) -> dict[str, Any] | None:
    """Read a record."""
    found = client.get_state(STORE, key)
    state: dict[str, Any] | None = json.loads(found.data) if found.data else None
    return state


def change(key: str, decide: Callable[[dict[str, Any]], dict[str, Any] | None]) -> dict[str, Any] | None:
    """Read a record, change it, and save it unless somebody else did meanwhile; then begin again.

    Returns the changed record, or None if there was nothing to change.
    """
    while True:
        found = client.get_state(STORE, key)
        changed = decide(json.loads(found.data) if found.data else {})
        if changed is None or _saved(key, changed, found.etag):
            return changed


def publish(topic: str, wire_type: str, data: dict[str, Any]) -> None:
    """Publish an event."""
    client.publish_event(
        pubsub_name=PUBSUB,
        topic_name=topic,
        data=json.dumps(data),
        data_content_type="application/json",
        publish_metadata={"cloudevent.type": wire_type},
    )


def _saved(key: str, value: dict[str, Any], etag: str) -> bool:
    try:
        client.save_state(
            STORE,
            key,
            json.dumps(value),
            etag=etag or None,
            options=StateOptions(consistency=Consistency.strong, concurrency=Concurrency.first_write),
        )
    except grpc.RpcError as error:
        # Some stores say ABORTED; PostgreSQL says INTERNAL, and only its words tell what it means.
        if error.code() == grpc.StatusCode.ABORTED or any(words in str(error.details()) for words in _CONFLICTS):
            return False
        raise
    return True
