"""The HTTP API of the Dapr sidecar, and what the sidecar says about itself.

Not here: when it is called and what for (`choreography.runtime`), and starting a sidecar (`choreography.up`).
"""
