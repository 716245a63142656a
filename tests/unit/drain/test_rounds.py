"""A flow never counts as drained after one look, nor if something moved between two looks."""

from __future__ import annotations

import pytest

from choreography.drain.replicas import Census, Replica
from choreography.drain.rounds import Proof, Round
from choreography.drain.sight import Sight, Standing, dead_letter_topics
from choreography.provision import BrokerLayout

SETTLES = 5.0


def replica(*, intake_open: bool = False, in_hand: int = 0, taken: float = 100.0, began: float = 1.0) -> Replica:
    """Return a replica that does nothing, except for the given values."""
    return Replica("order", "http://10.0.0.1:8000", intake_open, in_hand, (began, taken))


def seen(
    at: float, *replicas: Replica, waiting: int = 0, in_hand: int = 0, mark: str = "7", silent: tuple[str, ...] = ()
) -> Round:
    """Return a look at which nothing is left, except for the given values."""
    sight = Sight((Standing("billing", "orders", waiting, in_hand),), marks={"orders": mark})
    return Round(at, sight, Census(replicas or (replica(),), silent))


def test_nothing_is_proven_by_one_look() -> None:
    """An event that is handled during the look may have caused another on a topic already looked at."""
    assert not Proof(SETTLES).add(seen(0))


def test_two_looks_at_which_nothing_is_left_and_between_which_nothing_moved_are_a_proof() -> None:
    """Then all answers of the second look were true at one moment."""
    proof = Proof(SETTLES)
    assert [proof.add(seen(0)), proof.add(seen(SETTLES))] == [False, True]


def test_looks_that_are_closer_than_the_broker_is_slow_are_no_proof() -> None:
    """The broker might repeat the counts of the first look."""
    proof = Proof(SETTLES)
    assert [proof.add(seen(at)) for at in (0, 2, 4.9, 5)] == [False, False, False, True]


@pytest.mark.parametrize(
    "second",
    [
        seen(SETTLES, mark="8"),
        seen(SETTLES, replica(taken=101)),
        seen(SETTLES, replica(began=2, taken=100)),
        seen(SETTLES, replica(), Replica("order", "http://10.0.0.2:8000", intake_open=False, in_hand=0, mark=(1, 0))),
    ],
    ids=["a topic went on", "a replica took something", "a replica was restarted", "a replica came"],
)
def test_what_moved_between_two_looks_begins_the_proof_anew(second: Round) -> None:
    """This holds although both looks found nothing left."""
    proof = Proof(SETTLES)
    assert [proof.add(seen(0)), proof.add(second)] == [False, False]
    again = Round(second.at + SETTLES, second.sight, second.census)
    assert proof.add(again)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (seen(3, waiting=2), "billing has 2 waiting and 0 in hand of orders"),
        (seen(3, in_hand=1), "billing has 0 waiting and 1 in hand of orders"),
        (seen(3, replica(in_hand=4)), "order has 4 in hand at http://10.0.0.1:8000"),
        (seen(3, replica(intake_open=True)), "the intake of order is open at http://10.0.0.1:8000"),
        (seen(3, silent=("no replica of billing has answered",)), "no replica of billing has answered"),
        (Round(3, None, Census((replica(),)), "Redis did not answer."), "Redis did not answer."),
    ],
    ids=["waiting", "held", "in hand", "open", "silent", "no broker"],
)
def test_whatever_is_under_way_or_unknown_is_told_and_begins_the_proof_anew(second: Round, told: str) -> None:
    """This also holds between two looks that found nothing left."""
    assert list(second.obstacles()) == [told]
    proof = Proof(SETTLES)
    assert [proof.add(one) for one in (seen(0), second, seen(6), seen(12))] == [False, False, False, True]


def test_what_is_left_most_is_told_first() -> None:
    """A reader can act on it."""
    sight = Sight((Standing("a", "t", 1), Standing("b", "t", 0), Standing("c", "t", 1, 4)))
    assert [one.app for one in Round(0, sight, Census(())).left] == ["c", "a"]


def test_what_was_set_aside_is_on_topics_that_nobody_hears_and_on_those_of_what_could_not_be_read() -> None:
    """These events stay on the broker, so the drain does not wait for them."""
    hearers = (("billing", "billing-undelivered"), ("billing", "orders"))
    layout = BrokerLayout("pubsub.redis", "pubsub", ("billing-dead-letters", "billing-undelivered", "orders"), hearers)
    assert dead_letter_topics(layout) == ("billing-dead-letters", "billing-undelivered")
