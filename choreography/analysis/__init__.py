"""Pure analysis of declarations: who publishes and consumes what, what a change breaks, which states are reached.

Not here: rules that judge the facts found here (`choreography.check`), files made of them (`choreography.render`),
and the interleavings of events (`choreography.explore`). Nothing here opens a connection or runs a flow.
"""
