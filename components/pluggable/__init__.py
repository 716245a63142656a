"""What every pluggable pub/sub component of this project shares: how a sidecar reaches it, and what both say.

Not here: anything that knows one broker (`components.eventbridge`, `components.nats_pull`).
"""
