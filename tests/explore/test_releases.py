"""An old release of a flow beside the new one: either may handle each delivery, on the same state."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from rich.console import Console

from choreography.explore import ExploreError, Replay
from choreography.explore.browser import explorer
from choreography.explore.browser.course import Course
from choreography.explore.browser.pages import Beginning, page_of
from choreography.explore.command import explore
from choreography.explore.model import Model
from choreography.explore.properties import nothing_is_quarantined
from choreography.explore.result import SearchBounds, SearchResult
from choreography.explore.run_report import as_diagram, as_list, as_test
from choreography.explore.runs import replayed, steps_along
from choreography.explore.search import search
from tests.explore.brute.plain import failures, worlds

CONTRACTS = """
from choreography import Event


class Asked(Event, owner="clerk", subject="claim", type="claim.asked.v1"):
    claim: str


class Ruled(Event, owner="clerk", subject="claim", type="claim.ruled.v1"):
    claim: str


class Paid(Event, owner="clerk", subject="claim", type="claim.paid.v1", final=True):
    claim: str
"""

SERVICE = """
from typing import Literal

from claims.contracts import Asked, Paid, Ruled
from choreography import Decision, Entity, Service, nothing


class Claim(Entity, key="claim"):
    claim: str
    {fields}


clerk = Service("clerk", publishes=[Asked, Ruled, Paid])


@clerk.on(Asked)
def pay(claim: Claim, asked: Asked) -> Decision[Paid]:
    {decides}


@clerk.on(Ruled)
def follow(claim: Claim, ruled: Ruled) -> Decision[Paid]:
    {decides}
"""

PROPERTIES = """
from claims.clerk import Claim
from claims.contracts import Asked, Paid, Ruled
from choreography.explore import Scenario, World, always, eventually, scenario


@scenario
def claims(claims: int = 1, asked: int = 1) -> Scenario:
    flows = tuple(f"claim-{number}" for number in range(1, claims + 1))
    return Scenario(flows, says=tuple(one(claim=flow) for flow in flows for one in (Asked, Ruled)))


@always
def paid_once(world: World, claim: str) -> bool:
    return len(world.said(Paid, claim)) <= 1


@eventually
def paid(world: World, claim: str) -> bool:
    return len(world.said(Paid, claim)) == 1
"""

STATUS = 'status: Literal["new", "paid"] = "new"'
BY_STATUS = 'return nothing if claim.status == "paid" else (claim.but(status="paid"), Paid(claim=claim.claim))'
BY_FLAG = "return nothing if claim.paid else (claim.but(paid=True), Paid(claim=claim.claim))"
BY_COUNT = "return nothing if claim.count else (claim.but(count=1), Paid(claim=claim.claim))"


def written(folder: Path, fields: str, decides: str, more: str = "") -> None:
    """Write a release of the flow."""
    folder.mkdir(parents=True)
    service = SERVICE.replace("{fields}", fields).replace("{decides}", decides) + more
    for name, text in (("__init__", ""), ("contracts", CONTRACTS), ("clerk", service), ("properties", PROPERTIES)):
        (folder / f"{name}.py").write_text(text)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory in which flows named claims are found, and forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("claims", "releases")]:
        del sys.modules[name]


def explored(**settings: object) -> SearchResult:
    """Explore the flow."""
    model = Model.of("claims")
    return search(model, model.scenario(**settings))


@pytest.mark.parametrize("claims", [1, 2])
def test_two_releases_that_are_right_alone_break_a_flow_together(here: Path, claims: int) -> None:
    """The new one looks only at its own fields, so it pays again what the old one paid."""
    written(here / "claims", f"{STATUS}\n    paid: bool = False", BY_FLAG)
    written(here / "old" / "claims", STATUS, BY_STATUS)
    assert explored(claims=claims).complete
    result = explored(claims=claims, old="old/claims")
    assert {one.found.property.name for one in result.violations} == {"paid_once", "paid"}
    replay = replayed(result.space, steps_along(result.space, result.path, result.violations[0].found))
    assert not replay.left_out
    assert len(replay.happened) == 2
    told = "\n".join(as_list(replay))
    assert "the old release of clerk hears" in told
    assert "the old release" in as_diagram(replay, "")
    with pytest.raises(AssertionError, match="paid_once"):
        replay.check("paid_once")


def test_a_release_that_writes_what_both_read_is_right_beside_the_old_one(here: Path) -> None:
    """Fields that the old one does not know survive it."""
    written(
        here / "claims",
        f"{STATUS}\n    note: str = ''",
        'return nothing if claim.status == "paid" else (claim.but(status="paid", note="new"), Paid(claim=claim.claim))',
    )
    written(here / "old" / "claims", STATUS, BY_STATUS)
    result = explored(claims=2, old="old/claims")
    assert result.complete
    assert result.tally.states > explored(claims=2).tally.states


def test_every_verdict_with_an_old_release_is_that_of_plain_enumeration(here: Path) -> None:
    """The run is equally short, with and without the reduction of steps."""
    written(here / "claims", f"{STATUS}\n    paid: bool = False", BY_FLAG)
    written(here / "old" / "claims", STATUS, BY_STATUS)
    model = Model.of("claims")
    for settings in ({"old": "old/claims"}, {"old": "old/claims", "claims": 2}, {"old": "old/claims", "lose": 1}):
        scenario = model.scenario(**settings)
        places = worlds(model, scenario, 2_000)
        right = {one.name: failures(places, one) for one in model.beginning_with(scenario).properties}
        for reduce in (False, True):
            result = search(model, scenario, SearchBounds(reduce=reduce))
            shown = {one.found.property.name: len(one.path) - 1 for one in result.violations}
            assert shown.keys() == {name for name, depth in right.items() if depth is not None}
            first = result.violations[0].found.property.name
            assert shown[first] == right[first] == min(depth for depth in right.values() if depth is not None)


def test_a_state_that_the_new_release_cannot_read_is_broken(here: Path) -> None:
    """The field was renamed, so an entity of the old release would begin anew."""
    written(here / "claims", "count: int = 0", BY_COUNT)
    written(here / "old" / "claims", STATUS, BY_STATUS)
    result = explored(old="old/claims")
    assert result.found is not None
    assert result.found.property is nothing_is_quarantined
    replay = replayed(result.space, steps_along(result.space, result.path))
    assert len(replay.happened) == 1
    assert "The old release left what this one cannot read" in replay.happened[0].problem
    assert "status" in replay.happened[0].problem


def test_what_the_old_release_does_not_know_waits_for_the_new_one(here: Path) -> None:
    """An unreadable status is quarantined as *not yet* and replayed by the new release: the flow ends."""
    written(
        here / "claims",
        'status: Literal["new", "paid", "settled"] = "new"',
        'return nothing if claim.status != "new" else (claim.but(status="settled"), Paid(claim=claim.claim))',
    )
    written(here / "old" / "claims", STATUS, BY_STATUS)
    result = explored(old="old/claims")
    assert result.complete
    replay = Replay("claims", old="old/claims")
    replay.hears("clerk", "Asked")
    assert [replay.replies_to(one) for one in replay.possible] == [("",)]
    replay.old_hears("clerk", "Ruled")
    assert replay.left_out == ["the old release of clerk hears Ruled"]


IMPORTED = """

from pathlib import Path

Path("imported").touch()
"""

DESK = """

class Desk(Entity, key="claim"):
    claim: str
    paid: int = 0
"""


def test_releases_that_name_other_entities_for_one_event_are_broken(here: Path) -> None:
    """A repeat that reaches the other release would run again, as its outcome stands in another record."""
    written(here / "claims", STATUS, BY_STATUS)
    written(here / "old" / "claims", STATUS, BY_STATUS)
    old = here / "old" / "claims" / "clerk.py"
    text = old.read_text().replace("clerk = Service(", f"{DESK.lstrip()}\n\nclerk = Service(", 1)
    pay = "def pay(claim: Claim, asked: Asked) -> Decision[Paid]:\n    "
    changed = "def pay(claim: Desk, asked: Asked) -> Decision[Paid]:\n    return nothing\n    "
    assert pay in text
    old.write_text(text.replace(pay, changed))
    result = explored(old="old/claims")
    assert result.found is not None
    assert result.found.property is nothing_is_quarantined
    replay = replayed(result.space, steps_along(result.space, result.path))
    assert "Delivered again to the other release" in replay.happened[-1].problem
    assert replay.happened[-1].item.name == "Asked"
    with pytest.raises(AssertionError, match="nothing_is_quarantined"):
        replay.check("nothing_is_quarantined")


DEADLINE = """

from datetime import timedelta
from choreography import Deadline


@clerk.deadline(after=Asked, within=timedelta(minutes=5), name="{name}")
def remind(claim: Claim, due: Deadline) -> Decision:
    return nothing
"""


def test_a_deadline_that_only_the_old_release_knows_is_broken(here: Path) -> None:
    """It fires in the new one, which has no deadline of that name."""
    written(here / "claims", STATUS, BY_STATUS, DEADLINE.replace("{name}", "later"))
    written(here / "old" / "claims", STATUS, BY_STATUS, DEADLINE.replace("{name}", "sooner"))
    result = explored(old="old/claims")
    assert [one.found.property for one in result.violations] == [nothing_is_quarantined]
    replay = replayed(result.space, steps_along(result.space, result.path))
    assert "has no deadline of that name" in replay.happened[-1].problem
    assert replay.world.quarantined


def test_the_old_release_is_found_by_its_folder_and_by_its_package(here: Path) -> None:
    """This holds also where its package has another name than today's flow."""
    written(here / "claims", f"{STATUS}\n    paid: bool = False", BY_FLAG)
    written(here / "releases" / "one", STATUS, BY_STATUS)
    (here / "releases" / "__init__.py").write_text("")
    for old in ("releases/one", "releases.one", str(here / "releases" / "one")):
        assert explored(old=old).violations, old


def test_a_release_with_imports_of_its_own_name_is_run_under_it(here: Path) -> None:
    """Its modules do not import today's flow."""
    written(here / "claims", f"{STATUS}\n    paid: bool = False", BY_FLAG)
    written(here / "releases" / "two", STATUS, BY_STATUS)
    (here / "releases" / "__init__.py").write_text("")
    for file in (here / "releases" / "two").glob("*.py"):
        file.write_text(file.read_text().replace("from claims.", "from releases.two."))
    assert explored(old="releases.two").violations


def test_a_generated_test_has_the_old_release(here: Path) -> None:
    """It makes the same scenario, and fails for the same reason."""
    written(here / "claims", f"{STATUS}\n    paid: bool = False", BY_FLAG)
    written(here / "old" / "claims", STATUS, BY_STATUS)
    console = Console(record=True, width=300)
    assert explore("claims", words=["--old", "old/claims"], into=here / "tests", console=console) == 1
    text = (here / "tests" / "test_claims_paid_once.py").read_text()
    assert "run.old_hears(" in text
    assert "--old old/claims" in text
    names: dict[str, object] = {}
    exec(compile(text, "test", "exec"), names)  # noqa: S102 - it is what was generated
    with pytest.raises(AssertionError, match="paid_once"):
        next(one for name, one in names.items() if name.startswith("test_"))()  # type: ignore[operator]


def test_the_page_offers_both_releases(here: Path) -> None:
    """Each delivery is offered twice, and the run says which release handled it."""
    written(here / "claims", f"{STATUS}\n    paid: bool = False", BY_FLAG)
    written(here / "old" / "claims", STATUS, BY_STATUS)
    model = Model.of("claims")
    beginning = Beginning("claims", model.scenario(old="old/claims"))
    page = page_of(model, beginning, Course())
    texts = [one.text for panel in page.services for one in panel.next]
    assert {"hears Asked", "the old release hears Asked"} <= set(texts)
    after = page_of(model, beginning, Course((texts.index("the old release hears Asked"),)))
    assert after.steps[0].text.startswith("the old release of clerk hears Asked")
    replay = Replay(model, beginning.scenario)
    replay.old_hears("clerk", "Asked")
    assert 'run.old_hears("clerk", "Asked")' in as_test(replay, model.properties[0], "")


async def answer(app: FastAPI, query: str) -> tuple[int, str]:
    """Ask the explorer for its page."""
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        said.append(message)

    asked = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "root_path": ""}
    await app({**asked, "headers": [(b"host", b"127.0.0.1")], "http_version": "1.1", "scheme": "http"}, receive, send)
    return said[0]["status"], b"".join(one.get("body", b"") for one in said[1:]).decode()


async def test_the_browser_imports_no_release_that_an_address_names(here: Path) -> None:
    """Only the release named at the start is imported, since any web page may link to an address."""
    written(here / "claims", f"{STATUS}\n    paid: bool = False", BY_FLAG)
    for name in ("old", "evil"):
        written(here / name / "claims", STATUS, BY_STATUS, IMPORTED if name == "evil" else "")
    model = Model.of("claims")
    app = explorer(model, Beginning("claims", model.scenario(old="old/claims")), SearchBounds())
    assert (await answer(app, "scenario=claims&set-old=old/claims"))[0] == 200
    assert (await answer(app, "scenario=claims&set-old="))[0] == 200
    status, page = await answer(app, "scenario=claims&set-old=evil/claims")
    assert status == 400
    assert "started with" in page
    assert not (here / "imported").exists()


@pytest.mark.parametrize(
    ("old", "says"), [("nowhere", "no folder 'nowhere'"), ("empty", "exposes a Service"), ("other", "run in both")]
)
def test_what_is_no_old_release_of_the_flow_is_refused(here: Path, old: str, says: str) -> None:
    """The message says what is wrong."""
    written(here / "claims", STATUS, BY_STATUS)
    (here / "empty").mkdir()
    (here / "other").mkdir()
    (here / "other" / "desk.py").write_text('from choreography import Service\n\ndesk = Service("desk")\n')
    with pytest.raises((ExploreError, Exception), match=says):
        Model.of("claims").scenario(old=old)
