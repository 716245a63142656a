"""Bookings that are placed and cancelled in any order, for properties about one, another and all."""

from __future__ import annotations

from typing import Literal

from choreography import Decision, Entity, Event, Service, nothing
from choreography.explore import Scenario, scenario
from choreography.explore.model import Model
from choreography.explore.properties import Property, nothing_is_quarantined


class Booked(Event, owner="booking", subject="booking_id", type="seat.booked.v1"):
    """Somebody booked."""

    booking_id: str


class Cancelled(Event, owner="booking", subject="booking_id", type="seat.cancelled.v1"):
    """Somebody cancelled."""

    booking_id: str


class Booking(Entity, key="booking_id"):
    """One booking."""

    booking_id: str
    status: Literal["unknown", "booked", "cancelled"] = "unknown"


booking = Service("booking", publishes=[Booked, Cancelled])


@booking.on(Booked)
def note(booking: Booking, _booked: Booked) -> Decision:
    """It was booked, unless it is cancelled already."""
    return booking.but(status="booked") if booking.status == "unknown" else nothing


@booking.on(Cancelled)
def cancel(booking: Booking, _cancelled: Cancelled) -> Decision:
    """It is cancelled."""
    return booking.but(status="cancelled")


@scenario
def bookings(bookings: int = 2, only_last: bool = False) -> Scenario:
    """So many bookings, all of them cancelled or only the last."""
    flows = tuple(f"booking-{number}" for number in range(1, bookings + 1))
    cancelled = flows[-1:] if only_last else flows
    return Scenario(
        flows, says=(*(Booked(booking_id=one) for one in flows), *(Cancelled(booking_id=one) for one in cancelled))
    )


def with_property(prop: Property) -> Model:
    """Return the flow with one property of its own."""
    return Model("seats", (booking,), (nothing_is_quarantined, prop), {"bookings": bookings}, {})
