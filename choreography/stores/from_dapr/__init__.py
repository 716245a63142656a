"""Moving what a service kept in a state store of its sidecar into tables of its own.

Not here: what services use while they run (`choreography.stores`).
"""
