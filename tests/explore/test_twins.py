"""Flawed copies of checkout: the explorer finds each flaw, and shows the shortest run to it."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from choreography.explore.model import Model
from choreography.explore.result import SearchResult
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search

TWINS: list[tuple[str, dict[str, Any], str, int]] = [
    ("forgetful_join", {}, "dispatched_too_early", 4),
    ("ordered_compensation", {}, "cancelled_is_given_back", 11),
    ("cancel_race", {"cancel": True}, "dispatched_and_cancelled", 8),
    ("forgotten_key", {}, "charged_twice", 3),
    ("eager_deadline", {}, "dispatched_and_cancelled", 8),
    ("overwritten_status", {}, "every_order_ends", 12),
    ("partial_reaction", {"cancel": True}, "nothing_is_quarantined", 7),
]


def explored(twin: str, settings: dict[str, Any]) -> SearchResult:
    """Explore one twin."""
    model: Model = importlib.import_module(f"tests.explore.twins.{twin}").model
    return search(model, model.scenario(**settings))


@pytest.mark.parametrize(("twin", "settings", "broken", "length"), TWINS, ids=[one[0] for one in TWINS])
def test_the_flaw_of_a_twin_is_found_by_the_shortest_run(
    twin: str, settings: dict[str, Any], broken: str, length: int
) -> None:
    """The services themselves break the same property, in exactly so many steps."""
    result = explored(twin, settings)
    assert result.found is not None
    assert result.found.property.name == broken
    replay = replayed(result.space, steps_along(result.space, result.path))
    assert not replay.left_out
    assert len(replay.happened) == length
    with pytest.raises(AssertionError, match=broken):
        replay.check(broken)
