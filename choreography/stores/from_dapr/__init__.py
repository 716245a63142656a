"""Moving what a service kept in a state store of its sidecar into tables of its own."""
