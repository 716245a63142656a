"""Effects: an intent is committed before it is carried out, always with the same key and bytes, and recalled first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.checkout.billing import CardCharged, billing
from apps.checkout.contracts import Line, OrderCancelled, OrderCreated
from choreography.contracts import Answer as OutsideAnswer
from choreography.engine.answering import Answering, UnreadableError
from choreography.engine.operations import CarryOut, Confirm, Limits, Unknown
from choreography.engine.records import MOST_FOLDED, CommittedIntent
from choreography.engine.releasing import release
from tests.unit.engine.events import came, state_of
from tests.unit.engine.replica import NOON, Replica, World, said
from tests.unit.engine.toy import Asked, Box, Pay, Put, bank, desk

ASKED = Asked(box="a")
LINE = Line(sku="cup", quantity=1, unit_price=500)
CREATED = OrderCreated(order_id="o1", customer_id="c1", currency="EUR", lines=(LINE,), total=500)


def wish_of(world: World) -> CommittedIntent:
    """Return the only recorded intent."""
    [wish] = [wish for one in world.store.outcomes() for wish in one.intents]
    return wish


def test_nothing_is_carried_out_before_it_is_committed() -> None:
    """Rule 18: while the result of the commit is unknown, the outside is not called."""
    world = World(desk, bank)
    world.store.commits.extend(["not written"] * world.limits.attempts)
    assert Replica(world).deliver(came(ASKED, "e1")) == [False]
    assert world.provider.calls == []
    assert Replica(world).deliver(came(ASKED, "e1")) == [True]
    world.assert_released()


def test_a_committed_intent_keeps_its_key_and_its_bytes() -> None:
    """Rule 18: the outside gets the decided request, whatever happens to the box meanwhile."""
    world = World(desk, bank)
    world.provider.down = 2
    Replica(world).deliver(came(Put(box="a", amount=5), "e0"), came(ASKED, "e1"))
    for number in range(2):
        Replica(world).deliver(came(Put(box="a", amount=5), f"p{number}"))
        Replica(world, now=NOON + timedelta(minutes=number)).deliver(came(ASKED, "e1"))
    assert len(world.provider.calls) == 3
    assert len(set(world.provider.calls)) == 1
    assert Pay.model_validate_json(world.provider.calls[0].body).coins == 5


def test_no_answer_is_answered_retry() -> None:
    """Rule 18: only a reply of the outside settles the intent."""
    world = World(desk, bank)
    world.provider.down = 1
    assert [Replica(world).deliver(came(ASKED, "e1")) for _ in range(2)] == [[False], [True]]
    assert state_of(world, Box, "a") == Box(box="a", coins=1000, paid=True)


def test_a_repeat_recalls_the_answer_and_asks_nobody() -> None:
    """Rule 18: the redelivered event finds its intent and its answer, whose events are published again."""
    world = World(desk, bank)
    for _ in range(2):
        assert Replica(world).deliver(came(ASKED, "e1")) == [True]
    assert len(world.provider.calls) == 1
    assert len(world.broker.texts()) == 2
    assert len(set(world.broker.texts())) == 1


def test_only_the_first_delivery_of_an_intent_is_carried_out_without_asking_the_store() -> None:
    """Rule 18: an intent that was read from the store may have been answered already."""
    world = World(desk, bank)
    for repeated in (False, True):
        settled = Replica(world).settle(came(ASKED, "e1"))
        [operation] = next(release(settled, Limits(), Replica(world).published)).operations
        assert operation == CarryOut((wish_of(world),), repeated)


def test_an_answer_that_spilled_out_of_its_record_is_recalled_too() -> None:
    """The engine also looks among outcomes with rows of their own."""
    world = World(desk, bank)
    Replica(world).settle(came(ASKED, "e1"))
    Replica(world).deliver(*(came(Put(box="a", amount=0), f"p{number}") for number in range(MOST_FOLDED)))
    for _ in range(2):
        assert Replica(world).deliver(came(ASKED, "e1")) == [True]
    assert len(world.provider.calls) == 1


def test_a_recall_without_an_answer_of_the_store_decides_nothing() -> None:
    """Rule 5: it counts neither as answered nor as unanswered."""
    world = World(desk, bank)
    Replica(world).settle(came(ASKED, "e1"))
    recalling = Answering(desk).recall(wish_of(world))
    assert isinstance(next(recalling), Confirm)
    with pytest.raises(UnreadableError):
        recalling.send(Unknown())


def test_an_answer_is_settled_once() -> None:
    """Its id derives from the intent, so two replicas that asked at once bring one answer."""
    world = World(desk, bank)
    Replica(world).settle(came(ASKED, "e1"))
    wish = wish_of(world)
    for number in range(2):
        answer = Answering(desk).delivery(wish, bank(wish), NOON + timedelta(minutes=number))
        assert Replica(world).deliver(answer) == [True]
    assert state_of(world, Box, "a") == Box(box="a", coins=1000, paid=True)
    assert len(set(world.broker.texts())) == 1


def test_the_outcome_of_an_answer_keeps_the_answer() -> None:
    """The answer never was on a broker."""
    world = World(desk, bank)
    Replica(world).deliver(came(ASKED, "e1"))
    assert [said(one.heard) for one in world.store.outcomes() if one.heard] == [
        {"box": "a", "receipt": f"for {wish_of(world).key}"}
    ]


def test_an_intent_whose_effect_was_renamed_goes_to_a_person() -> None:
    """Rule 19: its key would change, so a call could do the same thing twice."""
    world = World(desk, bank)
    Replica(world).settle(came(ASKED, "e1"))
    answering, wish = Answering(desk), wish_of(world)._replace(effect="pay_out")
    assert answering.effect(wish) is None
    assert Replica(world).deliver(answering.for_a_person(wish, "renamed", NOON)) == [True]
    told = said(world.broker.texts()[0])
    assert (told["reason"], told["event_id"]) == ("renamed", wish.answer_id)


def test_an_intent_that_this_release_cannot_read_is_looked_up_apart() -> None:
    """Rule 19: then it can only have been quarantined for a person."""
    world = World(desk, bank)
    Replica(world).settle(came(ASKED, "e1"))
    wish = wish_of(world)._replace(body='{"crate": "a"}')
    Replica(world).deliver(Answering(desk).for_a_person(wish, "unreadable", NOON))
    recalling = Answering(desk).recall(wish)
    asked = next(recalling)
    assert isinstance(asked, Confirm)
    with pytest.raises(StopIteration) as stop:
        recalling.send(world.store.confirm(asked.key))
    assert stop.value.value.quarantined.reason == "unreadable"


def test_effect_names_and_the_keys_made_of_them_are_frozen() -> None:
    """Rule 19: a renamed effect, reaction or service would charge every customer again."""
    assert {effect.name for effect in billing.effects.values()} == {"charge_card", "refund_card"}
    world = World(billing)
    Replica(world).settle(came(CREATED, "e1"))
    wish = wish_of(world)
    assert (wish.effect, wish.key) == ("charge_card", "00c89e21412fb0c2e5c94f68c035de7a")
    assert wish.body == '{"order_id":"o1","customer_id":"c1","amount":500,"currency":"EUR"}'
    assert wish.answer_id == "4ef8b24fae5c00a272b4c8e7271dc25e"


@pytest.mark.parametrize("cancelled_first", [False, True])
def test_an_order_cancelled_while_the_provider_thinks_is_refunded(cancelled_first: bool) -> None:
    """Rule 18: a committed intent is always carried out; its answer handles what came meanwhile."""
    world = World(billing, provider_answers)
    cancelled = OrderCancelled(order_id="o1", customer_id="c1", reason="why not", lines=(LINE,))
    Replica(world).settle(came(CREATED, "e1"))
    batch = [came(cancelled, "e2"), came(CREATED, "e1")]
    for delivery in batch if cancelled_first else reversed(batch):
        assert Replica(world).deliver(delivery) == [True]
    assert sorted(wish.effect for wish in world.provider.calls) == ["charge_card", "refund_card"]
    world.assert_released()


def provider_answers(wish: CommittedIntent) -> OutsideAnswer:
    """Answer like the payment provider."""
    intent = Answering(billing).effect(wish)
    assert intent is not None
    if wish.effect == "charge_card":
        return CardCharged(order_id="o1", charge_id="ch-1")
    return intent.answers[0](order_id="o1")
