"""The spans of a service: one for each delivered event, and one for each request of a command or a view."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

from choreography.engine.delivery import Delivery
from choreography.engine.envelope import is_traceparent
from choreography.tracing.recorder import Finished, Recorder
from choreography.tracing.traceparent import (
    TracePlace,
    new_span_id,
    new_trace_id,
    place_in_flow,
    place_of,
    traceparent_of,
)


class Begun(NamedTuple):
    """The span of one delivered event, while the event is being handled."""

    envelope_type: str
    event_id: str
    flow_id: str
    trace_id: str
    span_id: str
    parent_id: str

    @property
    def traceparent(self) -> str:
        """The traceparent for the events and the calls that result from the event."""
        return traceparent_of(self.trace_id, self.span_id, recorded=True)


class Spans:
    """Begins and ends the spans of one service. Without a recorder there are none.

    The parent of an event's span is taken from the event: a bulk request has one header for many events, so the header
    can name only one of their traces.

    Args:
        share: the share of traced flows among those without a traceparent.
    """

    def __init__(self, service: str, recorder: Recorder | None, share: float = 1.0) -> None:
        self.on = recorder is not None
        self._service, self._recorder, self._share = service, recorder, share

    def begin(self, deliveries: Sequence[Delivery]) -> list[Begun | None]:
        """Begin a span for each event whose flow is traced."""
        return [self._begin(delivery) for delivery in deliveries] if self.on else [None] * len(deliveries)

    def _begin(self, delivery: Delivery) -> Begun | None:
        envelope = delivery.envelope
        if envelope is None:
            return None
        traceparent, flow_id = envelope.traceparent, envelope.flow_id
        place = place_of(traceparent) if traceparent else place_in_flow(flow_id or envelope.id, self._share)
        if not place.recorded:
            return None
        return Begun(envelope.type, envelope.id, flow_id, place.trace_id, new_span_id(), place.parent_id)

    def end(self, spans: Sequence[Begun | None], began: int) -> None:
        """End the spans of deliveries whose handling began at ``began``, by ``time.time_ns``."""
        if self._recorder is None:
            return
        now = time.time_ns()
        for one in spans:
            if one is not None:
                tags = {"messaging.message.id": one.event_id, "choreography.flow_id": one.flow_id}
                name = f"{self._service} {one.envelope_type}"
                self._recorder.add(
                    Finished("CONSUMER", name, one.trace_id, one.span_id, one.parent_id, began, now, tags)
                )

    @contextmanager
    def serving(self, method: str, route: str, traceparent: str) -> Iterator[Serving]:
        """Serve one request inside a span, which continues the trace of its caller if the request has one."""
        span = Serving(place_of(traceparent) if is_traceparent(traceparent) else None, self._share)
        tags = {"http.request.method": method, "http.route": route}
        began, mark = time.time_ns(), _serving.set(span)
        try:
            yield span
        except Exception as error:
            if not span.status:
                span.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            _serving.reset(mark)
            if self._recorder is not None and span.place.recorded:
                tags |= span.tags()
                self._recorder.add(Finished("SERVER", f"{method} {route}", *span.ids(), began, time.time_ns(), tags))


@dataclass(slots=True)
class Serving:
    """The span of one request. The flow that it begins is known only when its event is made.

    Attributes:
        status: the status of the answer; 0 until there is one.
        error: the error, if the service caused it.
    """

    _place: TracePlace | None
    _share: float
    status: int = 0
    error: str = ""
    _span_id: str = field(default_factory=new_span_id)

    @property
    def place(self) -> TracePlace:
        """The span's place in a trace; a request that begins no flow gets a trace of its own."""
        if self._place is None:
            trace_id = new_trace_id()
            self._place = place_in_flow(trace_id, self._share)._replace(trace_id=trace_id)
        return self._place

    def begins(self, flow_id: str) -> str:
        """Note the flow that the request begins, and return the traceparent for the flow's first event."""
        if self._place is None:
            self._place = place_in_flow(flow_id, self._share)
        return self.traceparent

    @property
    def traceparent(self) -> str:
        """The traceparent for calls of the request. Until the trace is known, they are marked as not recorded."""
        trace_id, _, recorded = self._place or TracePlace(new_trace_id(), "", recorded=False)
        return traceparent_of(trace_id, self._span_id, recorded=recorded)

    def ids(self) -> tuple[str, str, str]:
        """Return the ids of the trace, of the span, and of its parent."""
        return self.place.trace_id, self._span_id, self.place.parent_id

    def tags(self) -> dict[str, str]:
        """Return tags that say how the request ended."""
        tags = {"http.response.status_code": str(self.status)} if self.status else {}
        if self.error or self.status >= 500:
            tags |= {"otel.status_code": "ERROR", "error": self.error}
        return tags


_serving: ContextVar[Serving | None] = ContextVar("serving", default=None)


def current_traceparent() -> str:
    """Return the traceparent of the request being served; an empty text if it has no span."""
    span = _serving.get()
    return span.traceparent if span else ""


def traceparent_beginning(flow_id: str) -> str:
    """Return the traceparent for the first event of a flow that the request being served begins."""
    span = _serving.get()
    return span.begins(flow_id) if span else ""
