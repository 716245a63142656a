"""A Dapr pub/sub component for NATS JetStream: pulls, acknowledges after handling, and hands over batches.

Not here: the shared part of both components of this project (`components.pluggable`), and streams made beforehand
(`choreography.provision`).
"""
