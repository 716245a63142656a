"""A Dapr pub/sub component for Amazon EventBridge: publishes with PutEvents, subscribes through a rule and a queue."""
