"""A small sound flow, and one function that looks for one finding; each test changes one thing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

from choreography import Answer, Deadline, Decision, Entity, Event, Id, Intent, Outside, Service, nothing
from choreography.check import Finding, judge_services


class TripWanted(Event, owner="trips", subject="trip_id", type="trip.wanted.v1"):
    """Somebody wants to travel."""

    trip_id: Id


class TripGivenUp(Event, owner="trips", subject="trip_id", type="trip.given-up.v1", undoes=TripWanted):
    """There will be no trip."""

    trip_id: Id


class SeatHeld(Event, owner="seats", subject="trip_id", type="seat.held.v1"):
    """There is a seat."""

    trip_id: Id


class SeatFreed(Event, owner="seats", subject="trip_id", type="seat.freed.v1", undoes=SeatHeld, final=True):
    """The seat is free again."""

    trip_id: Id


class BedHeld(Event, owner="beds", subject="trip_id", type="bed.held.v1"):
    """There is a bed."""

    trip_id: Id


class BedFreed(Event, owner="beds", subject="trip_id", type="bed.freed.v1", undoes=BedHeld, final=True):
    """The bed is free again."""

    trip_id: Id


class Trip(Entity, key="trip_id"):
    """What somebody wants."""

    trip_id: Id
    status: Literal["wanted", "given up"] = "wanted"


class Seat(Entity, key="trip_id"):
    """A seat on a train."""

    trip_id: Id
    status: Literal["free", "held", "freed"] = "free"


class Bed(Entity, key="trip_id"):
    """A bed in a hotel."""

    trip_id: Id
    status: Literal["free", "held", "freed"] = "free"


class Journey(Entity, key="trip_id"):
    """Seat and bed together."""

    trip_id: Id
    status: Literal["waiting", "ready", "off"] = "waiting"


class AskTrain(Intent):
    """Ask the railway."""

    trip_id: Id


class TrainAnswered(Answer, type="train.answered.v1"):
    """The railway has a seat."""

    trip_id: Id


def trips(*, overdue: timedelta | None = timedelta(minutes=10)) -> Service:
    """The service that begins a trip and gives up in time."""
    service = Service("trips", publishes=[TripWanted, TripGivenUp])

    @service.command("POST /trips/{trip_id}")
    def want(trip_id: Id) -> TripWanted:
        return TripWanted(trip_id=trip_id)

    @service.on(TripWanted)
    def begin(trip: Trip, _wanted: TripWanted) -> Decision[TripGivenUp]:
        return trip if overdue else TripGivenUp(trip_id=trip.trip_id)

    @service.on(SeatHeld)
    def note(trip: Trip, _held: SeatHeld) -> Decision:
        return trip

    if overdue:

        @service.deadline(after=TripWanted, within=overdue)
        def give_up(trip: Trip, _deadline: Deadline) -> Decision[TripGivenUp]:
            if trip.status == "given up":
                return nothing
            return trip.but(status="given up"), TripGivenUp(trip_id=trip.trip_id)

    return service


def seats(*, listens: bool = True, forgets: bool = False, timeout: timedelta = timedelta(seconds=10)) -> Service:
    """The service that asks the railway for a seat."""
    service = Service("seats", publishes=[SeatHeld, SeatFreed])

    @service.effect(outside="railway", timeout=timeout)
    async def ask(_ask: AskTrain, _railway: Outside) -> TrainAnswered:
        raise NotImplementedError

    @service.on(TripWanted)
    def wish(seat: Seat, _wanted: TripWanted) -> Decision[AskTrain]:
        return AskTrain(trip_id=seat.trip_id) if seat.status == "free" else nothing

    @service.on(TrainAnswered)
    def hold(seat: Seat, _answer: TrainAnswered) -> Decision[SeatHeld]:
        match seat.status:
            case "free":
                return seat.but(status="held"), SeatHeld(trip_id=seat.trip_id)
            case "held":
                return nothing
            case "freed":
                if forgets:
                    raise LookupError("nobody thought of a seat that is freed")
                return nothing

    if listens:

        @service.on(TripGivenUp)
        def free(seat: Seat, _given_up: TripGivenUp) -> Decision[SeatFreed]:
            return seat.but(status="freed"), SeatFreed(trip_id=seat.trip_id)

    return service


def beds() -> Service:
    """The service that keeps beds."""
    service = Service("beds", publishes=[BedHeld, BedFreed])

    @service.on(TripWanted)
    def hold(bed: Bed, _wanted: TripWanted) -> Decision[BedHeld]:
        return (bed.but(status="held"), BedHeld(trip_id=bed.trip_id)) if bed.status == "free" else nothing

    @service.on(TripGivenUp)
    def free(bed: Bed, _given_up: TripGivenUp) -> Decision[BedFreed]:
        return bed.but(status="freed"), BedFreed(trip_id=bed.trip_id)

    return service


def journeys(*, listens: bool = True) -> Service:
    """The service that waits for a seat and a bed."""
    service = Service("journeys")

    @service.when_all(SeatHeld, BedHeld)
    def prepare(journey: Journey, _seat: SeatHeld, _bed: BedHeld) -> Decision:
        return journey.but(status="ready") if journey.status == "waiting" else nothing

    if listens:

        @service.on(TripGivenUp)
        def call_off(journey: Journey, _given_up: TripGivenUp) -> Decision:
            return journey.but(status="off") if journey.status == "waiting" else nothing

    return service


def found(code: str, services: Iterable[Service], **more: Any) -> list[Finding]:
    """Return the findings of one rule."""
    return [finding for finding in judge_services(*services, **more).findings if finding.code == code]
