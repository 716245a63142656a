"""A Dapr pub/sub component for NATS JetStream: pulls, acknowledges after handling, and hands over batches."""
