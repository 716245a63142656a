"""The cost of a check where states multiply, measured in calls, and its report of skipped states."""

from __future__ import annotations

import json
from collections import Counter

from rich.console import Console

from choreography.analysis.graph import rounds
from choreography.analysis.sampling import sample
from choreography.check import RULES, judge_services
from choreography.check.machine_report import as_json, as_sarif
from choreography.check.text_report import tell
from tests.unit.check.large_flow import lanes


def test_the_cost_of_a_check_grows_with_the_flow_and_not_with_the_product_of_its_states() -> None:
    """A tuple that grows beside another entity has millions of combinations; the report says what was sampled."""
    calls: Counter[str] = Counter()
    report = judge_services(*lanes(2, calls))
    assert calls.total() < 2 * 20_000
    assert [sentence.split()[0] for sentence in report.sampled] == [
        "stock0.count",
        "stock0.reserve",
        "stock1.count",
        "stock1.reserve",
    ]
    console = Console(record=True, quiet=False, width=400)
    tell(report, console)
    assert report.sampled[0] in console.export_text()
    assert json.loads(as_json(report))["sampled"] == list(report.sampled)
    invocation = json.loads(as_sarif(report, RULES))["runs"][0]["invocations"][0]
    assert [one["message"]["text"] for one in invocation["toolExecutionNotifications"]] == list(report.sampled)


def test_few_combinations_are_all_taken_in_order_and_many_are_sampled_with_each_choice() -> None:
    """The same seed takes the same ones, another seed takes others."""
    assert sample([(1, 2), ("a", "b")], 4).picked == ((1, "a"), (1, "b"), (2, "a"), (2, "b"))
    axes = [tuple(range(20)), tuple(range(7)), tuple(range(3))]
    taken = sample(axes, 25, seed=1)
    assert (len(set(taken.picked)), taken.of) == (25, 420)
    assert [{one[place] for one in taken.picked} for place in range(3)] == [set(axis) for axis in axes]
    assert taken == sample(axes, 25, seed=1) != sample(axes, 25, seed=2)


def test_states_share_a_round_only_where_each_can_be_come_to_from_the_other() -> None:
    """None is a state like any other: the entity does not exist yet."""
    found = rounds([(None, 1), (1, 2), (2, 1), (2, 3), (3, 3), (3, 4)])
    assert found[1] == found[2]
    assert len({found[None], found[1], found[3], found[4]}) == 4
