"""Reading the bodies that the sidecar posts, while they arrive: batches, single messages and fired jobs.

Not here: reading the data of events (`choreography.engine.reading`, `choreography.engine.decoding`).
"""
