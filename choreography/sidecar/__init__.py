"""Everything that talks to the Dapr sidecar: the client, the driver of the engine's operations, the start-up check.

Not here: decisions (`choreography.engine`), routes that a sidecar calls (`choreography.web`), and starting a sidecar
(`choreography.up`).
"""
