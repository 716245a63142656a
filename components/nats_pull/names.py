"""The names of streams, consumers and inboxes; a program that makes them beforehand must use the same names."""

from __future__ import annotations


def stream_name(topic: str) -> str:
    """Return the stream of a topic, as for Dapr's own component here: names of streams cannot have dots."""
    return topic.replace(".", "_")


def consumer_name(consumer: str, topic: str) -> str:
    """Return the durable consumer through which an app reads a topic."""
    return f"{former_name(consumer, topic)}-pull"


def former_name(consumer: str, topic: str) -> str:
    """Return the consumer of Dapr's own component, to which the server pushes."""
    return f"{consumer.replace('.', '_')}-{stream_name(topic)}"


def inbox_prefix(consumer: str) -> str:
    """Return the inbox prefix for replies to an app. Each app has its own, so that no other app may listen to it."""
    return f"_INBOX.{consumer}"
