"""Real processes, hurt one way after another while orders flow, and an auditor who then reads every book.

Read :mod:`faults.run` for the order of events, :mod:`faults.menu` for what is done to the flow, and
:mod:`faults.audit` for what must be true afterwards. The auditor shares no code with the engine.
"""
