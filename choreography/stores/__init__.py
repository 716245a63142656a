"""Where a service keeps its records: PostgreSQL or SQLite directly, or any store that the sidecar can reach.

Not here: which records an event writes (`choreography.engine`), and starting a database server (`choreography.up`).
"""
