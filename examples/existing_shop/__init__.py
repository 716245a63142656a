"""An application that was there before, with its own tables, sessions and routes."""
