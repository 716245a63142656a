"""A cursor names one place of one list; text that a client invents is refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choreography import Entity, Id
from choreography.listing import PagePlace, ask, read_list


class Tree(Entity, key="tree_id"):
    """A tree."""

    tree_id: Id
    owner: Id = "nobody"


TREES = read_list("/trees", Tree, ("owner",), newest_first=True)
OTHERS = read_list("/woods", Tree, ("owner",), newest_first=True)
WHERE = st.builds(
    PagePlace, st.integers(0, 2**63 - 1), st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
)


@settings(deadline=None, max_examples=50)
@given(WHERE)
def test_a_cursor_is_read_back_as_the_place_that_it_was_made_of(place: PagePlace) -> None:
    """This holds for every id."""
    asked = ask(TREES, b"owner=ann")
    assert ask(TREES, f"owner=ann&after={asked.cursor(place)}".encode()).after == place


@pytest.mark.parametrize("view", [TREES, OTHERS])
@pytest.mark.parametrize("query", ["", "owner=bob"])
def test_a_cursor_of_another_question_is_refused(view: object, query: str) -> None:
    """Its place has no meaning in another list."""
    cursor = ask(TREES, b"owner=ann").cursor(PagePlace(1, "t1"))
    with pytest.raises(Exception, match="belongs to another list or to other filters"):
        ask(view, f"{query}&after={cursor}".encode())  # type: ignore[arg-type]


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=60))
def test_a_text_that_is_no_cursor_is_refused_with_a_sentence(text: str) -> None:
    """It is never taken for a place."""
    with pytest.raises(Exception, match="cannot be used"):
        ask(TREES, f"after={quote(text)}".encode())
