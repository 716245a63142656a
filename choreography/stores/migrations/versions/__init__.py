"""One module for each migration; its statements stand in the SQL files of the same number.

Not here: SQL, which stands in `choreography.stores.migrations`.
"""
