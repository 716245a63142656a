"""Flows that are deployed as they stand, and the outside they need.

Not here: the library (`choreography`), small flows to learn from (`examples`), and anything rendered.
"""
