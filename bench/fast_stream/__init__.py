"""The checkout flow with FastStream straight on the same Redis, its state in the same PostgreSQL.

Idiomatic FastStream: streams with consumer groups, contracts validated by pydantic, several messages handled at once, a
pool of database connections, one transaction for each message, events published after the commit. No sidecar.
"""
