"""Each rule catches the flaw it is for, and passes the sound twin of the same flow."""

# ruff: noqa: ARG001, RET503 - flawed reactions look at less than they are given, and fall off their end.

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from choreography import Decision, Entity, Event, Id, Service, nothing
from choreography.check import RULES, Finding, judge_services
from tests.unit.check.flaws import (
    BedHeld,
    Journey,
    Seat,
    SeatHeld,
    TripGivenUp,
    TripWanted,
    beds,
    found,
    journeys,
    seats,
    trips,
)


class SeatHeldSoon(Event, owner="seats", subject="trip_id", type="seat.held.v2"):
    """The next version of an event."""

    trip_id: Id


class PingElsewhere(Event, owner="balls", subject="rally", type="ball.ping.v1"):
    """A consumer's copy with the wrong owner."""

    rally: Id


class Ping(Event, owner="left", subject="rally", type="ball.ping.v1"):
    """The ball goes there."""

    rally: Id
    hard: bool = False


class Pong(Event, owner="right", subject="rally", type="ball.pong.v1"):
    """The ball comes back."""

    rally: Id


class Left(Entity, key="rally"):
    """The player on the left."""

    rally: Id
    status: Literal["playing", "tired"] = "playing"
    strokes: Annotated[int, Field(ge=0)] = 0


class Right(Entity, key="rally"):
    """The player on the right."""

    rally: Id


def players(*, tires: str) -> list[Service]:
    """Two players whose rally ends after one stroke, after three, or never."""
    left, right = Service("left", publishes=[Ping]), Service("right", publishes=[Pong])

    @left.command("POST /rallies/{rally}")
    def serve(rally: Id) -> Ping:
        return Ping(rally=rally)

    @left.on(Ping)
    def watch(left: Left, _ping: Ping) -> Decision:
        return nothing

    @left.on(Pong)
    def hit(left: Left, _pong: Pong) -> Decision[Ping]:
        if left.status == "tired":
            return nothing
        limit = {"at once": 1, "after three": 3, "never": 1_000_000_000}[tires]
        strokes = left.strokes + 1
        return left.but(strokes=strokes, status="tired" if strokes >= limit else "playing"), Ping(rally=left.rally)

    @right.on(Ping)
    def answer(right: Right, _ping: Ping) -> Decision[Pong]:
        return Pong(rally=right.rally)

    return [left, right]


def sound() -> list[Service]:
    """The travel flow as it should be."""
    return [trips(), seats(), beds(), journeys()]


def one(code: str, services: list[Service]) -> Finding:
    """Return the only finding of a rule."""
    (finding,) = found(code, services)
    assert isinstance(finding, Finding)
    return finding


def test_a_sound_flow_passes_every_rule() -> None:
    """A lint that cries wolf is turned off."""
    report = judge_services(*sound())
    assert report.findings == ()
    assert report.exit_code == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.code))
def test_every_rule_says_what_it_is_for_in_a_sentence(rule: object) -> None:
    """Codes are frozen, titles fit a line, reasons are sentences."""
    code, title, why = (getattr(rule, word) for word in ("code", "title", "why"))
    assert code.startswith("CHO")
    assert len(title) < 70
    assert why.endswith(".")
    assert sum(other.code == code for other in RULES) == 1


def test_an_event_that_nobody_hears_is_found() -> None:
    """Without the journeys, beds are held and no service reacts."""
    finding = one("CHO101", [trips(), seats(), beds()])
    assert finding.about == "bed.held.v1"
    assert "beds publishes BedHeld, and no service of the flow reacts to it." in finding.what
    assert "final=True" in finding.do
    assert finding.file == "flaws.py"
    assert found("CHO101", sound()) == []


def test_an_event_that_is_marked_final_may_go_unheard() -> None:
    """SeatFreed is an end, and is declared as one."""
    assert not [finding for finding in found("CHO101", [trips(), seats()]) if "freed" in finding.about]


def test_a_reaction_to_what_nobody_publishes_is_found() -> None:
    """Without the railway service no seat is ever held."""
    findings = found("CHO102", [trips(), beds(), journeys()])
    assert [finding.about for finding in findings] == [
        "journeys:seat.freed.v1",
        "journeys:seat.held.v1",
        "trips:seat.held.v1",
    ]
    assert "publishes=[...]" in findings[0].do


def test_a_reaction_to_another_version_is_told_which_there_is() -> None:
    """A forgotten version looks like an event without a publisher."""
    late = Service("late")

    @late.on(SeatHeldSoon)
    def note(journey: Journey, _held: SeatHeldSoon) -> Decision:
        return nothing

    finding = one("CHO102", [*sound(), late])
    assert "(published is seat.held.v1)" in finding.what


def test_a_declared_event_that_is_never_said_is_found() -> None:
    """A service that waits for it waits for ever."""
    silent = Service("beds", publishes=[BedHeld])
    finding = one("CHO103", [trips(), seats(), silent, journeys()])
    assert finding.about == "bed.held.v1"
    assert "no reaction and no command of it says so" in finding.what


@pytest.mark.parametrize(
    ("narrower", "problem"),
    [
        ({"hard": (bool, ...)}, ""),
        ({}, ""),
        ({"speed": (int, ...)}, "speed is needed and not there"),
        ({"hard": (str, ...)}, "hard is a boolean where a string is needed"),
        ({"rally": (Annotated[str, Field(max_length=3)], ...)}, "rally has maxLength 128 where maxLength 3 is needed"),
    ],
)
def test_a_consumer_may_read_less_but_never_more_than_is_promised(
    narrower: dict[str, tuple[object, object]], problem: str
) -> None:
    """A consumer's own copy of an event is compared by its JSON schema."""
    fields = {"rally": (Id, ...)} | narrower
    space = {
        "__annotations__": {name: annotation for name, (annotation, _) in fields.items()},
        "__module__": __name__,
    }
    copy = types.new_class(
        "Copy",
        (Event,),
        {"owner": "left", "subject": "rally", "type": "ball.ping.v1"},
        lambda body: body.update(space),
    )
    third = Service("umpire")

    def call(right: Right, ping: object) -> Decision:
        return nothing

    call.__annotations__ = {"right": Right, "ping": copy, "return": Decision}
    third.on(copy)(call)
    findings = found("CHO111", [*players(tires="at once"), third])
    assert [finding.about for finding in findings] == (["umpire:ball.ping.v1"] if problem else [])
    assert all(problem in finding.what for finding in findings)


def test_a_consumer_that_expects_an_event_from_another_service_is_found() -> None:
    """It would quarantine every event that comes."""
    third = Service("umpire")

    @third.on(PingElsewhere)
    def call(right: Right, _ping: PingElsewhere) -> Decision:
        return nothing

    assert "expected from 'balls' and published by 'left'" in one("CHO111", [*players(tires="at once"), third]).what


def test_whoever_acts_must_hear_that_it_is_undone() -> None:
    """A seat that is never freed stays held for ever."""
    (finding,) = (one for one in found("CHO201", [trips(), seats(listens=False), beds(), journeys()]) if one)
    assert finding.about == "seats:trip.given-up.v1"
    assert "seats never takes back what it did" in finding.what
    assert "@seats.on(TripGivenUp)" in finding.do
    assert found("CHO201", sound()) == []


def test_whoever_acts_on_what_followed_must_hear_that_it_is_undone() -> None:
    """A cook who learns only of the held bed would cook for no guest."""
    kitchen = Service("kitchen")

    @kitchen.on(BedHeld)
    def cook(journey: Journey, _held: BedHeld) -> Decision:
        return nothing

    quiet = Service("beds", publishes=[BedHeld])

    @quiet.on(TripWanted)
    def hold(seat: Seat, _wanted: TripWanted) -> Decision[BedHeld]:
        return BedHeld(trip_id=seat.trip_id)

    @quiet.on(TripGivenUp)
    def drop(seat: Seat, _given_up: TripGivenUp) -> Decision:
        return nothing

    findings = found("CHO201", [trips(), quiet, kitchen])
    assert [finding.about for finding in findings] == ["beds:bed.held.v1"]
    assert "nothing tells kitchen" in findings[0].what
    assert found("CHO201", [trips(), beds()]) == []


def test_a_wait_that_no_deadline_ends_is_found() -> None:
    """Without a bed the journey would wait for ever, unnoticed."""
    finding = one("CHO202", [trips(overdue=None), seats(), beds(), journeys()])
    assert finding.about == "journeys.prepare"
    assert "waits for SeatHeld and BedHeld" in finding.what


def test_a_deadline_that_does_not_reach_the_wait_does_not_end_it() -> None:
    """A deadline of another service helps only if its event reaches the waiting service."""
    assert found("CHO202", [trips(), seats(), beds(), journeys(listens=False)])
    assert found("CHO202", sound()) == []


@pytest.mark.parametrize(("minutes", "caught"), [(1, True), (10, False)])
def test_a_deadline_before_the_effects_can_have_failed_twice_is_found(*, minutes: int, caught: bool) -> None:
    """With a railway that takes four minutes, a trip of one minute is given up although nothing is wrong."""
    flow = [trips(overdue=timedelta(minutes=minutes)), seats(timeout=timedelta(minutes=4)), beds(), journeys()]
    findings = found("CHO203", flow)
    assert [finding.about for finding in findings] == (["trips.give_up"] if caught else [])
    if caught:
        assert "may take 480 s without anything being wrong: seats.ask (240 s a try)" in findings[0].what


def test_a_circle_that_no_state_cuts_is_found() -> None:
    """Two players who never tire play for ever."""
    finding = one("CHO204", players(tires="never"))
    assert finding.about == "ball.ping.v1"
    assert "ball.ping.v1 -> ball.pong.v1 -> ball.ping.v1" in finding.what
    assert "right.answer, left.hit" in finding.what


@pytest.mark.parametrize("tires", ["at once", "after three"])
def test_a_circle_that_a_state_or_a_count_cuts_passes(tires: str) -> None:
    """A rally that ends is no circle."""
    assert found("CHO204", players(tires=tires)) == []


def test_a_reaction_that_forgets_a_state_is_found() -> None:
    """The forgotten state is named, with what the reaction did in it."""
    finding = one("CHO301", [trips(), seats(forgets=True), beds(), journeys()])
    assert finding.about == "seats.hold"
    assert "Seat status='freed' on TrainAnswered" in finding.what
    assert "LookupError: nobody thought of a seat that is freed." in finding.what
    assert found("CHO301", sound()) == []


def reaction_on(function: Callable[..., object], heard: type[Event]) -> list[Service]:
    """Add a service with one reaction to the players."""
    service = Service("extra")
    service.on(heard)(function)
    return [*players(tires="at once"), service]


def test_a_reaction_that_falls_off_its_end_is_found() -> None:
    """None is not a decision; `nothing` is the deliberate one."""

    def shrug(left: Left, ping: Ping) -> Decision:  # type: ignore[return]
        if left.status == "playing":
            return nothing

    finding = next(one for one in found("CHO301", reaction_on(shrug, Ping)))
    assert "Left status='tired' on Ping hard=False" in finding.what
    assert "answered None" in finding.what


def test_a_choice_in_the_event_is_tried_as_well() -> None:
    """A reaction must cope with each value that a contract allows."""

    def duck(left: Left, ping: Ping) -> Decision:
        if ping.hard:
            raise ValueError("ouch")
        return nothing

    finding = next(one for one in found("CHO301", reaction_on(duck, Ping)))
    assert "on Ping hard=True" in finding.what
    assert "hard=False" not in finding.what


def test_amounts_that_cannot_go_together_are_no_finding() -> None:
    """Totality is not about a counter that would fall below zero in a generated pair of amounts."""

    def rest(left: Left, ping: Ping) -> Decision:
        return left.but(strokes=left.strokes - 1)

    assert found("CHO301", reaction_on(rest, Ping)) == []


class Heard(Entity, key="name"):
    """What was heard of either."""

    name: Id


class Odd(Event, owner="odds", subject="name", type="odd.said.v1", final=True):
    """Says only what no generator can make up."""

    name: Id
    code: Annotated[str, Field(pattern=r"^Q[0-9]+-[xyz]{2}!$")]


class Picky(Event, owner="odds", subject="name", type="picky.said.v1", final=True):
    """The same with an example."""

    name: Id
    code: Annotated[str, Field(pattern=r"^Q[0-9]+-[xyz]{2}!$", examples=["Q7-xy!"])]

    @model_validator(mode="after")
    def _ends_with(self) -> Picky:
        return self


@pytest.mark.parametrize(("event", "caught"), [(Odd, True), (Picky, False)])
def test_a_reaction_that_cannot_be_tried_is_told(*, event: type[Event], caught: bool) -> None:
    """An untried reaction must not look as if it had passed."""

    def hear(right: object, said: object) -> Decision:
        return nothing

    hear.__annotations__ = {"right": Heard, "said": event, "return": Decision}
    findings = found("CHO302", reaction_on(hear, event))
    assert [finding.about for finding in findings] == (["extra.hear"] if caught else [])
    assert all('Field(examples=["..."])' in finding.do for finding in findings)


def test_an_event_of_another_service_that_names_no_owner_is_found() -> None:
    """The consumer could not tell it from a forgery; what a service says to itself needs no owner."""

    class Sighted(Event, subject="name", type="bird.sighted.v1"):
        name: Id

    watcher, diary = Service("watcher", publishes=[Sighted]), Service("diary")
    for service in (watcher, diary):
        noting(service, Sighted)
    finding = one("CHO304", [watcher, diary])
    assert finding.about == "diary:bird.sighted.v1"
    assert 'class Sighted(..., owner="watcher")' in finding.do
    assert found("CHO304", [watcher]) == found("CHO304", players(tires="at once")) == []


def test_contracts_of_the_time_before_owners_are_left_to_the_warning_at_their_import() -> None:
    """A flow of that time is checked as it was."""
    with pytest.warns(DeprecationWarning, match="names a topic"):

        class Sighted(Event, topic="birds", subject="name", type="bird.sighted.v1"):
            name: Id

    watcher, diary = Service("watcher", publishes=[Sighted]), Service("diary")
    noting(diary, Sighted)
    assert found("CHO304", [watcher, diary]) == []


def noting(service: Service, event: type[Event]) -> None:
    """Let a service react to an event."""

    def note(right: object, said: object) -> Decision:
        return nothing

    note.__annotations__ = {"right": Heard, "said": event, "return": Decision}
    service.on(event)(note)


def test_two_services_that_keep_one_kind_of_entity_are_found() -> None:
    """Each would rely on its own copy."""
    copy = Service("copy")

    @copy.on(SeatHeld)
    def note(seat: Seat, _held: SeatHeld) -> Decision:
        return nothing

    finding = one("CHO303", [*sound(), copy])
    assert finding.about == "seat"
    assert "seats and copy each keep" in finding.what
