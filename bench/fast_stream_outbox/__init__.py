"""The checkout flow with FastStream and a transactional outbox: what promises most in Python without this project.

Idiomatic faststream-outbox: state and event are written in one transaction, a relay in each service publishes to the
same Redis streams, woken by PostgreSQL. A message that was not handled is delivered again, also when its process died,
and every handler may be run again. Contracts are those of `bench.fast_stream`. No sidecar.
"""
