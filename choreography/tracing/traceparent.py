"""W3C traceparents as texts, and the choice of traced flows: the same flows in every service."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from typing import Final, NamedTuple

_ALL: Final = 2**64
RECORDED: Final = "01"
_NOT_RECORDED: Final = "00"


class TracePlace(NamedTuple):
    """The place of a new span in a trace.

    Attributes:
        trace_id: the trace it belongs to, as 32 hexadecimal digits.
        parent_id: the span that it continues, as 16 hexadecimal digits; empty if it begins a trace.
        recorded: whether the trace is recorded.
    """

    trace_id: str
    parent_id: str
    recorded: bool


def place_of(traceparent: str) -> TracePlace:
    """Return the place of a span that continues a valid traceparent. The span has the flags of that traceparent."""
    return TracePlace(traceparent[3:35], traceparent[36:52], bool(int(traceparent[53:], 16) & 1))


def place_in_flow(flow_id: str, share: float) -> TracePlace:
    """Return the place of the first span of a flow.

    Trace and choice both follow from the flow's id. So all services that consume an event of a publisher without traces
    make the same choice, and record the event in one trace.
    """
    digest = hashlib.blake2b(flow_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return TracePlace(digest.hex(), "", int.from_bytes(digest[:8]) < share * _ALL)


def traceparent_of(trace_id: str, span_id: str, *, recorded: bool) -> str:
    """Return a span as a W3C traceparent."""
    return f"00-{trace_id}-{span_id}-{RECORDED if recorded else _NOT_RECORDED}"


def new_span_id() -> str:
    """Return an id that, apart from a negligible chance, no other span of the trace has."""
    return f"{random.getrandbits(64) or 1:016x}"


def new_trace_id() -> str:
    """Return an id for a trace without a flow."""
    return f"{random.getrandbits(128) or 1:032x}"


def of_all(traceparents: Iterable[str]) -> str:
    """Return the traceparent of a call that serves several deliveries.

    A call for several traces belongs to none of them: a sidecar would attribute each of a hundred events to the flow of
    the first. So the call is marked as not recorded.
    """
    first = ""
    for one in traceparents:
        if not first:
            first = one
        elif one and one[3:35] != first[3:35]:
            return first[:-2] + _NOT_RECORDED
    return first
