"""Stubs generated from Dapr's proto files by `generate.sh`."""
