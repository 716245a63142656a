"""The HTTP API of the Dapr sidecar, and what the sidecar says about itself.

Not here: the decisions when and why it is called (`choreography.runtime`), and starting a sidecar (`choreography.up`).
"""
