"""The sans-I/O engine: it yields operations and is sent answers, and touches nothing else.

Read :mod:`settling` first, then :mod:`releasing`; :mod:`reacting` is what happens between the read and the commit.
"""
