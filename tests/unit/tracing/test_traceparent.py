"""The choice of traced flows, and the trace of each span."""

from __future__ import annotations

import subprocess
import sys

import pytest

from choreography.engine.envelope import is_traceparent
from choreography.errors import ChoreographyError
from choreography.settings import Settings
from choreography.tracing.traceparent import new_span_id, new_trace_id, of_all, place_in_flow, place_of, traceparent_of

ONE, OTHER = "1" * 32, "2" * 32


def _in(trace_id: str, *, recorded: bool = True) -> str:
    return traceparent_of(trace_id, "3" * 16, recorded=recorded)


def test_every_service_decides_alike_about_a_flow() -> None:
    """Another process, with another seed for hashes, finds the same trace and the same decision."""
    asked = (
        "from choreography.tracing.traceparent import place_in_flow as p; print([p(f'o-{i}', .5) for i in range(50)])"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == repr([place_in_flow(f"o-{number}", 0.5) for number in range(50)])


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.0, 0, 0), (0.1, 160, 240), (0.5, 920, 1080), (1.0, 2000, 2000)]
)
def test_as_many_flows_are_traced_as_were_asked_for(share: float, least: int, most: int) -> None:
    """It is a share of flows, and exact at 0 and 1."""
    assert least <= sum(place_in_flow(f"order-{number}", share).recorded for number in range(2000)) <= most


def test_a_larger_share_traces_every_flow_that_a_smaller_one_does() -> None:
    """So services with different shares all trace the flows of the smallest share, from end to end."""
    for flow_id in map(str, range(500)):
        assert place_in_flow(flow_id, 0.5).recorded >= place_in_flow(flow_id, 0.1).recorded


@pytest.mark.parametrize("recorded", [True, False])
def test_whoever_began_a_trace_has_decided_whether_it_is_recorded(recorded: bool) -> None:
    """A traceparent survives being taken apart and put together."""
    place = place_of(_in(ONE, recorded=recorded))
    assert place == (ONE, "3" * 16, recorded)
    assert is_traceparent(traceparent_of(place.trace_id, new_span_id(), recorded=recorded))
    assert is_traceparent(_in(new_trace_id()))


@pytest.mark.parametrize("flags", ["03", "ff", "01"])
def test_of_the_flags_only_the_first_counts(flags: str) -> None:
    """Other flags are of other versions of W3C trace context."""
    assert place_of(_in(ONE)[:-2] + flags).recorded


@pytest.mark.parametrize(
    ("traceparents", "expected"),
    [
        ([], ""),
        (["", ""], ""),
        ([_in(ONE)], _in(ONE)),
        ([_in(ONE), "", _in(ONE)], _in(ONE)),
        ([_in(ONE), _in(OTHER)], _in(ONE, recorded=False)),
        (["", _in(ONE), _in(ONE), _in(OTHER)], _in(ONE, recorded=False)),
    ],
)
def test_a_call_for_several_flows_is_shown_in_the_trace_of_none(traceparents: list[str], expected: str) -> None:
    """A call for a single flow is shown in its trace, whatever the number of its events."""
    assert of_all(traceparents) == expected


@pytest.mark.parametrize("text", ["2", "-0.1", "nan", "inf", "10%", "some"])
def test_a_share_that_is_none_is_refused_by_a_sentence(text: str) -> None:
    """A wrong setting must not make a service trace nothing, or everything."""
    with pytest.raises(ChoreographyError, match=r"CHOREOGRAPHY_SAMPLING says .*; write the share"):
        Settings.from_environment({"CHOREOGRAPHY_SAMPLING": text})


@pytest.mark.parametrize(("text", "share"), [("", 1.0), ("0", 0.0), ("0.05", 0.05), ("1", 1.0)])
def test_a_share_is_read_from_the_environment(text: str, share: float) -> None:
    """Without one every flow is traced."""
    assert Settings.from_environment({"CHOREOGRAPHY_SAMPLING": text}).sampling == share
