"""A service that keeps rows of a table of its own as its entities are, and a sum that no entity holds.

Not here: tables that an application owns (`examples.existing_shop`).
"""
