"""Traces: one flow is one trace, batched deliveries included. Spans are plain values until a thread writes them.

Not here: metrics and logs (`choreography.telemetry`).
"""
