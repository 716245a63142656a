"""Real processes, hurt one way after another while orders flow, and an auditor who then reads every book.

Read :mod:`faults.run` for the order of events, :mod:`faults.menu` for what is done to the flow, and
:mod:`faults.audit` for what must be true afterwards. The auditor shares no code with the engine.

Not here: starting a flow (`choreography.up`), faults that are only modelled (`choreography.explore`), and a disturbed
cluster (`tests/e2e`).
"""
