"""A Dapr pub/sub component for Amazon EventBridge: publishes with PutEvents, subscribes through a rule and a queue.

Not here: what both components of this project share (`components.pluggable`), and queues made beforehand
(`choreography.provision`).
"""
