"""A Dapr pub/sub component for Amazon EventBridge: publishes with PutEvents, subscribes through a rule and a queue.

Not here: the shared part of both components of this project (`components.pluggable`), and queues made beforehand
(`choreography.provision`).
"""
