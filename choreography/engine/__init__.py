"""The sans-I/O engine: it yields operations and is sent answers, and touches nothing else.

Read :mod:`settling` first, then :mod:`releasing`; :mod:`reacting` is what happens between the read and the commit.

Not here: I/O of any kind. HTTP that comes from the sidecar is in `choreography.web`, calls to it in
`choreography.sidecar`, databases in `choreography.stores`.
"""
