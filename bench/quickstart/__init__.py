"""The checkout flow as Dapr's documentation teaches it: `DaprClient`, `dapr.ext.fastapi`, one message at a time.

What its quickstarts and how-tos show is kept: a FastAPI app with `DaprApp`, a plain handler for each topic, state saved
with `save_state`, the event published after that, and ETags with first-write where two handlers may meet. Where they
differ in cost the cheaper way was taken: one client for the whole process, as the documentation of the other SDKs
advises, although the Python examples make a new one for every call.
"""
