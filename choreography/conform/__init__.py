"""The conformance kit: shows the behaviour of a broker or a store on the real server, through a real sidecar.

One suite for all of them, ours and yours: ``choreography conform path/to/component.yaml``.

Not here: the tested settings (`components`), and rules about a flow's own files (`choreography.check`).
"""
