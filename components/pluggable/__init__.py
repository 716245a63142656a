"""The shared part of every pluggable pub/sub component of this project: its sidecar interface, log and settings.

Not here: anything that knows one broker (`components.eventbridge`, `components.nats_pull`).
"""
