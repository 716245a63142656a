"""An application that was there before, with its own tables, sessions and routes.

Not here: the flow that it takes part in (`examples.paid_orders`).
"""
