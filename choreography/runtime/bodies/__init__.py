"""Reading what the sidecar posts while it arrives: batches, single messages and fired jobs."""
