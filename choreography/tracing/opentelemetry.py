"""Spans that a user's own routes and code make with OpenTelemetry: they are sent together with the library's spans."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from choreography.tracing.recorder import Finished, Recorder


def set_up(service: str, recorder: Recorder, share: float) -> None:
    """Hand every span that this process makes with OpenTelemetry to a recorder."""
    trace.set_tracer_provider(provider_for(service, recorder, share))


def provider_for(service: str, recorder: Recorder, share: float) -> TracerProvider:
    """Return a provider whose spans go to a recorder."""
    provider = TracerProvider(
        resource=Resource({"service.name": service}), sampler=ParentBased(TraceIdRatioBased(share))
    )
    provider.add_span_processor(_Recording(recorder))
    return provider


class _Recording(SpanProcessor):
    """Passes every finished span to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def on_end(self, span: ReadableSpan) -> None:
        own = span.get_span_context()
        if own is None or not own.trace_flags.sampled:
            return
        tags = {name: str(value) for name, value in (span.attributes or {}).items()}
        if span.status.status_code is not StatusCode.UNSET:
            tags["otel.status_code"] = span.status.status_code.name
        if span.status.status_code is StatusCode.ERROR:
            tags["error"] = span.status.description or ""
        began = span.start_time or 0
        self._recorder.add(
            Finished(
                "" if span.kind is SpanKind.INTERNAL else span.kind.name,
                span.name,
                f"{own.trace_id:032x}",
                f"{own.span_id:016x}",
                f"{span.parent.span_id:016x}" if span.parent else "",
                began,
                span.end_time or began,
                tags,
            )
        )
