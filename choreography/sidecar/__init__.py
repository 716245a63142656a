"""Everything that talks to the Dapr sidecar: the client, the driver of the engine's operations, the start-up check."""
