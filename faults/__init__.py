"""Causes one fault after another in real processes while orders flow; then an auditor reads all records.

Read :mod:`faults.run` for the order of events, :mod:`faults.menu` for the faults, and :mod:`faults.audit` for the rules
that must hold afterwards. The auditor shares no code with the engine.

Not here: starting a flow (`choreography.up`), faults that are only modelled (`choreography.explore`), and a disturbed
cluster (`tests/e2e`).
"""
