"""Where a service keeps its records: PostgreSQL or SQLite directly, or any store that the sidecar can reach."""
