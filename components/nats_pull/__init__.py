"""A Dapr pub/sub component for NATS JetStream: pulls, acknowledges after handling, and hands over batches.

Not here: what both components of this project share (`components.pluggable`), and streams made beforehand
(`choreography.provision`).
"""
