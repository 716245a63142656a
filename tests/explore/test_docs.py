"""The page about exploring shows the explorer's real output."""

from __future__ import annotations

import re
from pathlib import Path

from choreography.explore.run_report import as_diagram, as_test
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from tests.explore.twins import cancel_race

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explore.md").read_text()
FLOW = "tests.explore.twins.cancel_race:model"


def test_the_picture_and_the_test_on_the_page_are_what_the_explorer_tells() -> None:
    """The test makes them again from the flawed copy and compares every character."""
    result = search(cancel_race.model, cancel_race.model.scenario(cancel=True))
    assert result.found is not None
    replay = replayed(result.space, steps_along(result.space, result.path))
    replay.model = replay.model.called(FLOW)
    told = as_test(replay, result.found.property, f"choreography explore {FLOW} --cancel")
    assert f"```mermaid\n{as_diagram(replay, result.found.property.text)}```" in PAGE
    assert f"```python\n{told}```" in PAGE


def test_every_quoted_block_stands_in_the_file_it_is_quoted_from() -> None:
    """A second copy of a fact is compared with the first."""
    quotes = re.findall(r"<!-- from (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert len(quotes) == 2
    for path, quoted in quotes:
        assert quoted in (ROOT / path).read_text()
