"""The floor: the same deliveries and publishes through the same sidecars, with empty handlers and no state.

Nothing is read, written, charged, remembered or checked. What a service of the checkout flow would say is published in
bulk as the same raw envelopes. No flow with a state can be faster than this on these sidecars.
"""
