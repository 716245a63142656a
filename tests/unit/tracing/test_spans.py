"""A collector receives these spans of a service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.trace import SpanKind, Status, StatusCode

from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.envelope import Envelope
from choreography.tracing import opentelemetry
from choreography.tracing.recorder import Finished, Recorder
from choreography.tracing.spans import Spans, current_traceparent, traceparent_beginning
from choreography.tracing.traceparent import place_in_flow

TRACE, PARENT = "a" * 32, "b" * 16
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Collector:
    """Takes spans by HTTP as Zipkin does. It answers with ``status``."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.status, self.endpoint = 202, ""

    async def _take(self, request: web.Request) -> web.Response:
        if self.status == 202:
            self.spans += await request.json()
        return web.Response(status=self.status)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Recorder]:
        """Serve, and yield a recorder that sends here; at the end everything has been sent."""
        app = web.Application()
        app.router.add_post("/api/v2/spans", self._take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        recorder = Recorder("shipping", f"http://127.0.0.1:{port}/api/v2/spans")
        sending = asyncio.create_task(recorder.forever())
        try:
            yield recorder
        finally:
            # It must have begun, because a task that never ran has nothing to finish.
            await asyncio.sleep(0)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await runner.cleanup()


def _delivery(event_id: str = "e-1", flow_id: str = "o-1", traceparent: str = "") -> Delivery:
    envelope = Envelope(
        id=event_id,
        type="order.created.v1",
        source="order",
        subject=flow_id,
        time=datetime.now(UTC),
        flow_id=flow_id,
        causation_id="",
        traceparent=traceparent,
        data={},
    )
    return read_delivery(envelope.encode().encode())


async def test_each_event_of_a_batch_has_a_span_in_its_own_trace() -> None:
    """Its parent is the event's publisher, and events that the service then publishes continue the span."""
    collector = Collector()
    async with collector.running() as recorder:
        spans = Spans("shipping", recorder)
        began = time.time_ns()
        begun = spans.begin(
            [_delivery(traceparent=SAMPLED), _delivery("e-2", "o-2"), _delivery("e-3", traceparent=UNSAMPLED)]
        )
        spans.end(begun, began)

    first, second = collector.spans
    assert first["traceId"] == TRACE
    assert first["parentId"] == PARENT
    assert first["name"] == "shipping order.created.v1"
    assert first["kind"] == "CONSUMER"
    assert first["localEndpoint"] == {"serviceName": "shipping"}
    assert first["tags"] == {"messaging.message.id": "e-1", "choreography.flow_id": "o-1"}
    assert first["duration"] >= 1
    assert abs(first["timestamp"] - began // 1000) <= 1
    assert begun[0] is not None
    assert begun[0].traceparent == f"00-{TRACE}-{first['id']}-01"
    assert second["traceId"] == place_in_flow("o-2", 1).trace_id
    assert "parentId" not in second
    assert begun[2] is None


async def test_an_unreadable_event_has_no_span() -> None:
    """Its flow is unknown."""
    async with Collector().running() as recorder:
        assert Spans("shipping", recorder).begin([read_delivery(b"no event")]) == [None]


async def test_of_a_flow_that_is_not_traced_nothing_is_recorded() -> None:
    """Neither its events nor its first request are recorded; its traceparent tells all other services."""
    collector = Collector()
    async with collector.running() as recorder:
        spans = Spans("order", recorder, share=0.0)
        assert spans.begin([_delivery()]) == [None]
        with spans.serving("POST", "/orders", ""):
            assert traceparent_beginning("o-1").endswith("-00")
    assert collector.spans == []


async def test_a_request_stands_in_the_trace_of_the_flow_that_it_begins() -> None:
    """So does a later request about the same flow, whichever replica serves it."""
    collector = Collector()
    async with collector.running() as recorder:
        for replica in (Spans("order", recorder), Spans("order", recorder)):
            with replica.serving("POST", "/orders", "") as span:
                assert current_traceparent().endswith("-00"), "nobody knows the flow yet"
                traceparent = traceparent_beginning("o-1")
                assert current_traceparent() == traceparent
                span.status = 202
            assert current_traceparent() == ""
    assert {span["traceId"] for span in collector.spans} == {place_in_flow("o-1", 1).trace_id}
    first = collector.spans[0]
    assert (first["name"], first["kind"]) == ("POST /orders", "SERVER")
    assert first["tags"] == {
        "http.request.method": "POST",
        "http.route": "/orders",
        "http.response.status_code": "202",
    }


@pytest.mark.parametrize(("traceparent", "count"), [(SAMPLED, 1), (UNSAMPLED, 0)])
async def test_a_caller_who_traces_decides_for_the_flow(traceparent: str, count: int) -> None:
    """The request is part of the caller's trace, or unrecorded, whatever the sampling share is."""
    collector = Collector()
    async with collector.running() as recorder:
        with Spans("order", recorder, share=1.0 - count).serving("POST", "/orders", traceparent):
            assert traceparent_beginning("o-1").startswith(f"00-{TRACE}-")
    assert [span["traceId"] for span in collector.spans] == [TRACE] * count


@pytest.mark.parametrize("header", ["", "nonsense", SAMPLED + "0", "00-" + "0" * 32 + f"-{PARENT}-01"])
async def test_a_request_without_a_valid_traceparent_begins_a_trace(header: str) -> None:
    """A hostile header cannot name a span."""
    collector = Collector()
    async with collector.running() as recorder:
        with Spans("order", recorder).serving("GET", "/orders/{order_id}", header):
            pass
    [span] = collector.spans
    assert "parentId" not in span


async def test_a_request_that_raises_is_an_error_in_its_trace() -> None:
    """The exception is raised further to its handler."""
    collector = Collector()
    async with collector.running() as recorder:
        with pytest.raises(KeyError), Spans("order", recorder).serving("GET", "/orders", ""):
            raise KeyError("nothing")
        with Spans("order", recorder).serving("GET", "/orders", "") as refused:
            refused.status = 404
        with Spans("order", recorder).serving("GET", "/orders", "") as failed:
            failed.status = 503
    assert [span["tags"].get("error") for span in collector.spans] == ["KeyError: 'nothing'", None, ""]


async def test_a_collector_that_takes_nothing_holds_nobody_up() -> None:
    """Refused spans are lost, and later ones are sent once it is back."""
    collector = Collector()
    collector.status = 503
    async with collector.running() as recorder:
        spans = Spans("order", recorder)
        spans.end(spans.begin([_delivery("lost")]), time.time_ns())
        for _ in range(300):
            await asyncio.sleep(0.01)
            if not recorder.waiting:
                break
        assert not recorder.waiting
        collector.status = 202
        spans.end(spans.begin([_delivery("sent")]), time.time_ns())
    assert [span["tags"]["messaging.message.id"] for span in collector.spans] == ["sent"]


async def test_so_many_spans_are_kept_and_the_oldest_give_way() -> None:
    """A collector that is down for a day costs a bounded amount of memory."""
    recorder = Recorder("order", "http://127.0.0.1:1/")
    for number in range(20_000):
        recorder.add(Finished("CONSUMER", str(number), TRACE, PARENT, "", 0, 1, {}))
    assert recorder.waiting == 16_384


async def test_spans_of_opentelemetry_go_the_same_way() -> None:
    """Spans of a user's own code appear beside ours, inside the trace that they continue."""
    collector = Collector()
    async with collector.running() as recorder:
        provider = opentelemetry.provider_for("order", recorder, share=1.0)
        tracer = provider.get_tracer("theirs")
        with (
            tracer.start_as_current_span("outer", kind=SpanKind.CLIENT, attributes={"size": 3}),
            tracer.start_as_current_span("inner") as inner,
        ):
            inner.set_status(Status(StatusCode.ERROR, "it broke"))
    inner_, outer = collector.spans
    assert inner_["parentId"] == outer["id"]
    assert inner_["traceId"] == outer["traceId"]
    assert "kind" not in inner_
    assert inner_["tags"] == {"otel.status_code": "ERROR", "error": "it broke"}
    assert outer["kind"] == "CLIENT"
    assert outer["tags"] == {"size": "3"}
