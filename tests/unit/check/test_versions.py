"""Versions of one event are compared in both directions, and the report gives the deployment order."""

# ruff: noqa: ARG001 - a parameter says what a reaction hears, also when its type is all there is to know

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from choreography import Decision, Entity, Event, Id, Service
from choreography.check import judge_services


class Sold(Event, type="tea.sold.v1", subject="sale", final=True):
    """Sold."""

    sale: Id


class SoldAgain(Event, type="tea.sold.v2", subject="sale", final=True):
    """Sold, as the next version says it."""

    sale: Id
    price: int = Field(default=0, ge=0)


class Sale(Entity, key="sale"):
    """A sale."""

    sale: Id


def shop(*said: type[Event]) -> Service:
    """Says these."""
    service = Service("shop", publishes=said)
    for number, event in enumerate(said):

        def sell(sale: Any, event: type[Event] = event) -> Any:
            return event(sale=sale)

        sell.__annotations__ = {"sale": Id, "return": event}
        sell.__defaults__ = None
        service.command(f"POST /sales-{number}/{{sale}}")(sell)
    return service


def till(*heard: type[Event], name: str = "till") -> Service:
    """Hears these."""
    service = Service(name)
    for event in heard:

        def note(sale: Any, sold: Any) -> Any:
            return sale

        note.__annotations__ = {"sale": Sale, "sold": event, "return": Decision}
        service.on(event)(note)
    return service


@pytest.mark.parametrize(
    ("said", "heard", "found"),
    [
        ([Sold], [Sold], []),
        ([Sold, SoldAgain], [Sold, SoldAgain], []),
        ([Sold, SoldAgain], [], []),
        ([Sold, SoldAgain], [Sold], ["till:tea.sold.v2"]),
        ([Sold, SoldAgain], [SoldAgain], ["till:tea.sold.v1"]),
        ([SoldAgain], [Sold], ["till:tea.sold.v2"]),
        ([Sold], [SoldAgain], ["till:tea.sold.v1"]),
        ([Sold], [Sold, SoldAgain], []),
    ],
)
def test_versions_are_read_in_both_directions(
    said: list[type[Event]], heard: list[type[Event]], found: list[str]
) -> None:
    """A consumer of one version gets all of them, final ones included."""
    report = judge_services(shop(*said), till(*heard))
    assert [finding.about for finding in report.findings if finding.code == "CHO118"] == found


def test_the_order_in_which_to_deploy_is_told() -> None:
    """Consumers of the new version are deployed first; a rollback goes the other way round."""
    report = judge_services(shop(Sold, SoldAgain), till(Sold, SoldAgain), till(Sold, SoldAgain, name="books"))
    [told] = report.deploy
    assert told.startswith("Deploy books and till, which hear tea.sold.v2, before shop, which says it; when it is")
    assert judge_services(shop(Sold), till(Sold)).deploy == ()
