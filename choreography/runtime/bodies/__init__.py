"""Reading the bodies that the sidecar posts, while they arrive: batches, single messages and fired jobs.

Not here: what an event says (`choreography.engine.reading`, `choreography.engine.decoding`).
"""
