"""Clocks: the skew of other clocks is measured, shown and logged; only a skew of days is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from choreography.engine.operations import Limits
from choreography.errors import SelfCheckError
from choreography.runtime.clocks import Clocks
from choreography.runtime.old_events import OldEvents
from choreography.sidecar.client import SidecarClient
from choreography.stores.through_sidecar import SidecarStore
from choreography.telemetry import Metrics
from tests.unit.engine.events import came
from tests.unit.engine.toy import Put
from tests.unit.sidecar.fake_sidecar import FakeSidecar


def skew(metrics: Metrics) -> dict[str, float]:
    """Return the skew of other clocks on the metrics page."""
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {
        sample.labels["against"]: sample.value
        for family in families
        if family.name == "choreography_clock_skew_seconds"
        for sample in family.samples
    }


async def measured(ahead: timedelta | None) -> tuple[timedelta | None, dict[str, float], str]:
    """Measure a store whose clock is ahead; return the result, its metric, and the refusal to start."""
    sidecar, metrics, refusal = FakeSidecar(clock_ahead=ahead), Metrics("desk"), ""
    async with sidecar.listening():
        client = SidecarClient(sidecar.settings())
        clocks = Clocks("desk", "one", SidecarStore(client, "statestore"), metrics, Limits())
        try:
            found = await clocks.measure()
            await clocks.check()
        except SelfCheckError as error:
            refusal = str(error)
        finally:
            await client.close()
    return found, skew(metrics), refusal


@pytest.mark.parametrize("seconds", [-7200, -90, 90, 7200])
async def test_a_store_whose_clock_differs_is_measured_and_shown(seconds: int) -> None:
    """It is exact within the round trip and one second; a service still starts."""
    found, shown, refusal = await measured(timedelta(seconds=seconds))
    assert found is not None
    assert abs(found.total_seconds() - seconds) < 2
    assert shown["store"] == pytest.approx(seconds, abs=2)
    assert not refusal


async def test_clocks_that_agree_as_far_as_anybody_can_tell_are_shown_as_equal() -> None:
    """A store reports whole seconds, so a smaller skew counts as none."""
    found, shown, _ = await measured(timedelta(0))
    assert found == timedelta(0)
    assert shown["store"] == 0


async def test_a_store_that_does_not_tell_its_time_is_not_guessed_at() -> None:
    """No figure is better than an invented one."""
    assert await measured(None) == (None, {"publishers": 0}, "")


async def test_a_service_whose_clock_is_days_wrong_refuses_to_start() -> None:
    """All consumers would quarantine its events."""
    _, _, refusal = await measured(timedelta(days=2))
    assert "Correct whichever clock is wrong" in refusal


def test_a_publisher_whose_clock_is_ahead_is_named_once() -> None:
    """Only an event from the future proves skew; one from the past may only have waited."""
    metrics = Metrics("desk")
    clocks = Clocks("desk", "one", _no_sidecar(), metrics, Limits())
    ahead = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    with structlog.testing.capture_logs() as logged:
        for number in range(3):
            clocks.saw([came(Put(box="a", amount=1), f"e{number}", time=ahead, source="shop")])
        clocks.saw([came(Put(box="a", amount=1), "old", source="slow")])
    assert [line["source"] for line in logged] == ["shop"]


async def test_how_many_events_were_too_old_is_said_once() -> None:
    """There is no line for each, but one line when no more of them come."""
    old = OldEvents()
    with structlog.testing.capture_logs() as logged:
        for number in range(1000):
            old.saw(came(Put(box="a", amount=1), f"e{number}", time=f"20{number % 20:02}-01-01T00:00:00Z"))
        old.say()
        old.say()
    [line] = logged
    assert (line["count"], line["types"]) == (1000, {"coins.put.v1": 1000})
    assert (line["oldest"], line["newest"]) == ("2000-01-01 00:00:00", "2019-01-01 00:00:00")


def _no_sidecar() -> Any:
    return None
