"""The reason for a missing event is true: lost, away, quarantined, on its way, or decided otherwise."""

from __future__ import annotations

from choreography.explore import Replay
from choreography.explore.stuck import why_it_stopped


def began(**settings: object) -> Replay:
    """Begin an order of the checkout."""
    return Replay("apps.checkout", **settings)


def test_a_service_that_is_away_is_named_where_the_reason_leads_to_it() -> None:
    """It got no delivery, so it did not decide against the event."""
    run = began(away="billing")
    run.hears("order", "OrderSubmitted")
    run.to_the_end()
    assert any("billing is away" in one for one in why_it_stopped(run))
    assert not any("did not say it" in one for one in why_it_stopped(run))
