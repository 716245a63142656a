"""Stubs generated from Dapr's proto files by `generate.sh`.

Not here: code written by a person (`components.pluggable`).
"""
