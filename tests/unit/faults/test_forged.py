"""The fault suite forges one event of each kind by every route, and names each service's right response."""

from __future__ import annotations

import pytest

from choreography.engine.delivery import LARGEST_READ
from choreography.service import Service
from choreography.topics import subscribed_by, undelivered
from choreography.web.app import build_app
from faults.accounts import Account
from faults.audit.poison import names_of
from faults.forged import EVERYBODY, FOREIGN_TYPE, SERVICES, forged, jobs
from tests.unit.runtime.test_conservation import page
from tests.unit.runtime.test_deliveries import as_the_sidecar_does, entry, post
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ready, until


def test_something_forged_comes_by_every_topic_that_anybody_subscribes_to() -> None:
    """An untried route is an unguarded route."""
    assert {one.topic for one in forged()} == {topic for service in SERVICES for topic in subscribed_by(service)}


def test_whoever_must_set_something_aside_or_ignore_it_is_given_it() -> None:
    """Otherwise the auditor would wait for a result that cannot come."""
    for one in forged():
        assert one.aside | one.ignored <= {service.name for service in SERVICES if one.topic in subscribed_by(service)}
        assert not one.aside & one.ignored


def test_every_service_is_attacked_in_every_way() -> None:
    """Each must quarantine and ignore something; only valid events are quarantined by no service."""
    made = forged()
    assert frozenset[str]().union(*(one.aside for one in made)) == EVERYBODY
    assert frozenset[str]().union(*(one.ignored for one in made)) == EVERYBODY
    assert sum(len(one.raw) > LARGEST_READ for one in made) == 60


def test_two_rounds_forge_different_events() -> None:
    """A repeat of the first round would prove nothing in the second."""
    assert {one.raw for one in forged()}.isdisjoint(one.raw for one in forged())
    assert jobs().keys().isdisjoint(jobs())


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
async def test_a_service_makes_of_it_what_the_auditor_expects(service: Service) -> None:
    """In batches by every route, and as jobs, each is quarantined, ignored or run as expected, and counted."""
    messages, sidecar = forged(), FakeSidecar()
    async with sidecar.listening():
        settings = sidecar.settings(self_check=False, outsides={"payment-provider": "http://127.0.0.1:9"})
        app = build_app(service, settings, print)
        async with alive(app):
            await until(lambda: ready(app))
            for topic in subscribed_by(service):
                path = "/undelivered" if topic == undelivered(service.name) else "/events"
                entries = [entry(str(n), one.raw) for n, one in enumerate(messages) if one.topic == topic]
                status, answer = await post(app, as_the_sidecar_does(topic, *entries), path)
                assert (status, {one["status"] for one in answer["statuses"]}) == (200, {"SUCCESS"})
            for body, name in jobs().items():
                assert (await post(app, body, f"/job/{name}"))[0] == 200
            account = Account.read(service.name, await page(app))
    aside = [one for one in sidecar.store.outcomes() if one.quarantined]
    kept = {text for one in aside if one.quarantined for text in (one.event_id, one.quarantined.event)}
    expected = [one.kept or one.raw for one in messages if service.name in one.aside]
    assert [raw[:200] for raw in expected if kept.isdisjoint(names_of(raw))] == []
    assert len(aside) == len(expected) + len(jobs())
    assert account.is_lawful
    foreign = [one for one in messages if FOREIGN_TYPE.encode() in one.raw and service.name in one.ignored]
    assert account.ignored[FOREIGN_TYPE] == len(foreign)
    assert not [said for topic, said in sidecar.published if topic != f"{service.name}-dead-letters"]
