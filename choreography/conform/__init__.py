"""The conformance kit: what a broker or a store does, shown on the real one through a real sidecar.

One suite for all of them, ours and yours: ``choreography conform path/to/component.yaml``.

Not here: the settings that are put to the test (`components`), and rules about a flow's own files
(`choreography.check`).
"""
