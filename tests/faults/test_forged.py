"""What the fault suite forges: one of each kind, by every route, and what each service must make of it."""

from __future__ import annotations

from choreography.engine.delivery import LARGEST_READ
from choreography.topics import subscribed_by
from faults.forged import EVERYBODY, SERVICES, forged, jobs


def test_something_forged_comes_by_every_topic_that_anybody_subscribes_to() -> None:
    """A route that nobody tries is a route that nobody guards."""
    assert {one.topic for one in forged()} == {topic for service in SERVICES for topic in subscribed_by(service)}


def test_whoever_must_set_something_aside_or_ignore_it_is_given_it() -> None:
    """Else the auditor would wait for what cannot be."""
    for one in forged():
        assert one.aside | one.ignored <= {service.name for service in SERVICES if one.topic in subscribed_by(service)}
        assert not one.aside & one.ignored


def test_every_service_is_attacked_in_every_way() -> None:
    """Each must set something aside and ignore something; nothing is for nobody to set aside but what is sound."""
    made = forged()
    assert frozenset[str]().union(*(one.aside for one in made)) == EVERYBODY
    assert frozenset[str]().union(*(one.ignored for one in made)) == EVERYBODY
    assert sum(len(one.raw) > LARGEST_READ for one in made) == 60


def test_two_rounds_forge_different_events() -> None:
    """A repeat of the first round would prove nothing in the second."""
    assert {one.raw for one in forged()}.isdisjoint(one.raw for one in forged())
    assert jobs().keys().isdisjoint(jobs())
