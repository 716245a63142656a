"""What streams, consumers and inboxes are called; whoever makes them beforehand must use the same names."""

from __future__ import annotations


def stream_name(topic: str) -> str:
    """The stream that holds a topic, as Dapr's own component is told here: streams cannot have dots in their names."""
    return topic.replace(".", "_")


def consumer_name(consumer: str, topic: str) -> str:
    """The durable consumer by which an app reads a topic."""
    return f"{former_name(consumer, topic)}-pull"


def former_name(consumer: str, topic: str) -> str:
    """The consumer of Dapr's own component, to which the server pushes."""
    return f"{consumer.replace('.', '_')}-{stream_name(topic)}"


def inbox_prefix(consumer: str) -> str:
    """Where everything arrives that an app asked for. It has one of its own, so that no other app may listen to it."""
    return f"_INBOX.{consumer}"
