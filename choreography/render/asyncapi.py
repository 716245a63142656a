"""A flow as an AsyncAPI 3.0 document: one channel per topic, one message per event, its publisher and its consumers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

from choreography.analysis.examples import NoExampleError, example
from choreography.analysis.wiring import Wiring, about
from choreography.contracts import Event
from choreography.render.payloads import Payloads, payloads_of
from choreography.render.source import Files, RenderSource, as_yaml
from choreography.service import Service
from choreography.topics import TopicNaming

_ENVELOPE: Final = {
    "type": "object",
    "description": "A CloudEvent 1.0 in structured mode. Its id is its identity: the same id is the same event.",
    "required": ["specversion", "id", "type", "source", "subject", "time", "datacontenttype", "flowid", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "description": "Derived from its cause, so a repeat has the same."},
        "type": {"type": "string", "description": "The wire type, with its version."},
        "source": {"type": "string", "description": "The service that said it."},
        "subject": {"type": "string", "description": "What it is about."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "flowid": {"type": "string", "description": "The run of the flow it belongs to."},
        "causationid": {"type": "string", "description": "The id of the event it follows from."},
        "eventid": {"type": "string", "description": "The identity, where a repeat had to take another id."},
        "traceparent": {"type": "string", "description": "W3C trace context."},
        "data": {"type": "object"},
    },
}


def asyncapi_file(source: RenderSource) -> Files:
    """Render the document."""
    wiring = Wiring(source.services)
    payloads = payloads_of([event for _, event in wiring.published])
    messages = {payloads.messages[event]: _message(service, event, payloads) for service, event in wiring.published}
    schemas = {payloads.envelope: _ENVELOPE, **payloads.schemas}
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": source.title,
            # Contracts carry their versions in their wire types; a version of the whole document would mean nothing.
            "version": "1.0.0",
            "description": source.about,
            "tags": [{"name": service.name, "description": about(service)} for service in source.services],
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            topic: _channel(service, topic, source.names, payloads)
            for service in source.services
            for topic in service.topics
        },
        "operations": dict(_operations(wiring, payloads)),
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }
    return {"asyncapi.yaml": as_yaml(document)}


def _channel(service: Service, topic: str, names: TopicNaming, payloads: Payloads) -> dict[str, Any]:
    return {
        "address": names.on_broker(topic),
        "description": f"Published by {service.name} only. Order is not kept, and repeats are to be expected.",
        "messages": {
            payloads.messages[event]: {"$ref": f"#/components/messages/{payloads.messages[event]}"}
            for event in _on(service, topic)
        },
    }


def _on(service: Service, topic: str) -> list[type[Event]]:
    """Return the events that a service publishes to a topic: the versions of one family."""
    return [event for event in service.publishes if event.topic == topic]


def _operations(wiring: Wiring, payloads: Payloads) -> list[tuple[str, dict[str, Any]]]:
    operations = []
    for service in wiring.services:
        for topic in service.topics:
            said = _operation("send", service, topic, _on(service, topic), payloads)
            operations.append((f"{service.name}-says-{topic}", said))
        for topic, events in sorted(service.hears.items()):
            heard = [wiring.publisher(event.wire_type) for event in events]
            known = [found[1] for found in heard if found is not None]
            if known:
                operations.append(
                    (f"{service.name}-hears-{topic}", _operation("receive", service, topic, known, payloads))
                )
    return operations


def _operation(
    action: str, service: Service, topic: str, events: Sequence[type[Event]], payloads: Payloads
) -> dict[str, Any]:
    word = "says" if action == "send" else "reacts to"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": f"{service.name} {word} {', '.join(event.__name__ for event in events)}.",
        "tags": [{"name": service.name}],
        "messages": [{"$ref": f"#/channels/{topic}/messages/{payloads.messages[event]}"} for event in events],
    }


def _message(service: Service, event: type[Event], payloads: Payloads) -> dict[str, Any]:
    message = {
        "name": event.wire_type,
        "title": event.__name__,
        "summary": inspect.getdoc(event) or "",
        "contentType": "application/cloudevents+json",
        "correlationId": {"location": "$message.payload#/flowid", "description": "The run of the flow."},
        "payload": {
            "allOf": [
                {"$ref": f"#/components/schemas/{payloads.envelope}"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": event.wire_type},
                        "data": payloads.references[event],
                    },
                },
            ]
        },
    }
    if event.undoes is not None:
        message["x-undoes"] = event.undoes.wire_type
    return message | _examples(service, event)


def _examples(service: Service, event: type[Event]) -> dict[str, Any]:
    try:
        made = example(event)
    except NoExampleError:
        return {}
    payload = {
        "specversion": "1.0",
        "id": "3f0c8d7e9b1a4c52",
        "type": event.wire_type,
        "source": service.name,
        "subject": made.subject,
        "time": "2026-01-01T12:00:00.000Z",
        "datacontenttype": "application/json",
        "flowid": made.subject,
        "causationid": "",
        "data": made.model_dump(mode="json"),
    }
    return {"examples": [{"name": event.__name__, "payload": payload}]}
