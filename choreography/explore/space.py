"""The states of a flow and the steps between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from choreography.engine.records import EntityRecord
from choreography.explore.arranging import Arranging, State
from choreography.explore.bit_layout import BitField, StateLayout
from choreography.explore.carrying_out import CarriedOut
from choreography.explore.facts import (
    Called,
    Coming,
    Fact,
    HasCome,
    HasPublished,
    HasQuarantined,
    Lost,
    OnItsWay,
    Pending,
    WantedCall,
    is_delivery,
    sort_of,
)
from choreography.explore.faults import LOST
from choreography.explore.flow_ids import ids_of
from choreography.explore.foreign import Expected, foreign_events
from choreography.explore.model import Model
from choreography.explore.naming import PLACE, SHARED, AsymmetricError, FlowNaming
from choreography.explore.outcomes import MOST_ALIKE, Making, StepOutcome, Stepping
from choreography.explore.production_step import Arrival, Consequences, Deciding, Place, canonical
from choreography.explore.properties import ExploreError
from choreography.explore.releases import Releases
from choreography.explore.scenario import Scenario


@dataclass(slots=True)
class Step:
    """One step of one flow: both integers after it, and its cause."""

    own: int
    shared: int
    move: Stepping
    outcome: StepOutcome


class Space:
    """All states and steps of one scenario."""

    def __init__(self, model: Model, scenario: Scenario, *, interchangeable: bool = True) -> None:
        self.model, self.scenario = model, scenario
        self.flows = scenario.flows if interchangeable else ()
        self.arranging = Arranging((0,) * len(self.flows))
        self.deciding = Deciding(model)
        self.releases = Releases(model, self.deciding)
        self.naming = FlowNaming(self.flows, self.releases.identity)
        self.foreign = foreign_events(model, scenario)
        self._expected = Expected(self.foreign, self.naming.home)
        self.shared, self.own = StateLayout(), StateLayout()
        self.cut: set[str] = set()
        self._moves_shared: dict[int, Stepping] = {}
        self._moves_own: dict[int, Stepping] = {}

    def begin(self) -> State:
        """Return the state in which all first events of the scenario are under way."""
        regions = [0] * (1 + len(self.flows))
        for entity in self.scenario.keeps:
            place = (self.model.owner(type(entity)).name, entity.kind, entity.key)
            home = self.naming.home(entity.key)
            text = self._record_text(EntityRecord(state=entity.model_dump(mode="json")), home)
            regions[home + 1] |= self.field(place, home).placed(text)
        for event in self.scenario.says:
            text = canonical(event.model_dump(mode="json"))
            self.model.source(event.wire_type)
            home = self.naming.home(text)
            facts = tuple((home, fact) for fact in self.said(event.wire_type, self.naming.neutral(text, home)))
            outcome = StepOutcome(-1, -1, 0, 0, facts, frozenset())
            own = regions[home + 1] if home != SHARED else 0
            fresh = outcome.told_apart(own, regions[0], self.bit, self.cut)
            if fresh is None:
                raise ExploreError(
                    f"The scenario says {event.wire_type} in the same words more than {MOST_ALIKE} times, so what "
                    "follows cannot be told apart. Let the events differ, or say fewer."
                )
            regions[home + 1] |= fresh[0]
            regions[0] |= fresh[1]
        for home in range(SHARED, len(self.flows)):
            for wire_type in self._expected.about(home):
                regions[home + 1] |= self.bit(Coming(wire_type), home)
        # Only flows that begin alike can be exchanged: the steps of one flow are not those of a flow that begins
        # differently.
        self.arranging = Arranging(tuple(regions[1:].index(own) for own in regions[1:]))
        return tuple(regions)

    def steps(self, own: int, shared: int, number: int) -> Iterator[Step]:
        """Return every step of one flow; with SHARED, the steps that belong to no flow."""
        layout, moves = (self.shared, self._moves_shared) if number == SHARED else (self.own, self._moves_own)
        pending = (shared if number == SHARED else own) & layout.pending
        while pending:
            bit = pending & -pending
            pending ^= bit
            move = moves[bit]
            key = (own & move.own, shared & move.shared)
            outcomes = move.memo.get(key)
            if outcomes is None:
                outcomes = move.memo[key] = self._alike(move, own, shared, number)
            for outcome in outcomes:
                after = outcome.after(own, shared, self.bit, self.cut)
                if after is not None:
                    yield Step(*after, move, outcome)

    def field(self, place: Place, home: int) -> BitField:
        """Return the bit field of one entity, by its concrete place."""
        service, kind, key = place
        layout = self.shared if home == SHARED else self.own
        return layout.field((service, kind, self.naming.neutral(key, home)))

    def at_rest(self, state: State) -> bool:
        """Tell whether nothing is under way any more, and every expected foreign event has come."""
        own, shared = self.own.pending & ~self.own.comes, self.shared.pending & ~self.shared.comes
        if state[0] & shared or any(one & own for one in state[1:]):
            return False
        return all(state[0] & self._last_coming(one) for one in self._expected.times)

    def bit(self, fact: Fact | Coming, home: int) -> int:
        """Return the bit of a fact; an item under way becomes a move."""
        layout, moves = (self.shared, self._moves_shared) if home == SHARED else (self.own, self._moves_own)
        # An item on its way to an absent service stays under way, and has no effect.
        if isinstance(fact, OnItsWay | WantedCall | Coming) and self._is_there(fact):
            bit = layout.bit(fact, sort_of(fact), pending=True)
            if bit not in moves:
                moves[bit] = self._move(fact, home)
                layout.comes |= bit if isinstance(fact, Coming) else 0
            return bit
        return layout.bit(fact, sort_of(fact))

    def said(self, wire_type: str, text: str) -> list[Fact]:
        """Return the facts of a published event: that it was published, and its deliveries to its consumers."""
        listeners = self.model.listeners(wire_type)
        ways_ = [OnItsWay(Arrival("event", service.name, wire_type, text)) for service in listeners]
        return [HasPublished(wire_type, text), *ways_]

    def record(self, text: str, home: int) -> EntityRecord:
        """Read a record back, for one flow."""
        if not text:
            return EntityRecord()
        state, slots = orjson.loads(self.naming.concrete(text, home))
        return EntityRecord(state=state, slots=self.naming.concrete_slots(slots, home))

    def _record_text(self, record: EntityRecord, home: int) -> str:
        if record.state is None and not record.slots:
            return ""
        return self.naming.neutral(canonical([record.state, self.naming.neutral_slots(record.slots)]), home)

    def _is_there(self, pending: Pending) -> bool:
        if isinstance(pending, Coming):
            return True
        service = pending.heard.service if isinstance(pending, OnItsWay) else pending.service
        return service not in self.scenario.faults.away

    def _last_loss(self, pending: OnItsWay) -> int:
        """Return the bit that allows no further loss; no bit if this item is never lost."""
        lose = self.scenario.faults.lose
        return self.bit(Lost(lose), SHARED) if lose and is_delivery(pending) else 0

    def _last_coming(self, wire_type: str) -> int:
        """Return the bit that says that a foreign event has come as often as it may."""
        return self.bit(HasCome(wire_type, self._expected.times[wire_type]), SHARED)

    def _move(self, pending: Pending, home: int) -> Stepping:
        move = Stepping(pending, home)
        if isinstance(pending, OnItsWay):
            # Any flow will do: the entities that it names differ between flows only in the id.
            any_flow = SHARED if home == SHARED else 0
            places = []
            for service, kind, key in self.releases.named(self.naming.heard(pending.heard, any_flow)):
                at = self.naming.home(key)
                mask = self.field((service, kind, key), at).mask
                move.own |= 0 if at == SHARED else mask
                move.shared |= mask if at == SHARED else 0
                places.append((service, kind, self.naming.neutral(key, at)))
            move.places = tuple(places)
            move.shared |= self._last_loss(pending)
        elif isinstance(pending, Coming):
            move.shared |= self._last_coming(pending.type)
        return move

    def _alike(self, move: Stepping, own: int, shared: int, number: int) -> tuple[StepOutcome, ...]:
        """Return the outcomes, if they are the same for every flow.

        Raises:
            AsymmetricError: an outcome exists for one flow and not for another that differs only in its id.
        """
        outcomes = tuple(self._outcomes(move, own, shared, number))
        for other in range(len(self.flows)):
            if number not in (SHARED, other) and tuple(self._outcomes(move, own, shared, other)) != outcomes:
                raise AsymmetricError(self.flows[other])
        return outcomes

    def _outcomes(self, move: Stepping, own: int, shared: int, number: int) -> Iterator[StepOutcome]:
        if isinstance(move.pending, OnItsWay):
            yield from self._react(move, move.pending, own, shared, number)
            last = self._last_loss(move.pending)
            if last and not shared & last:
                yield self._lost(move)
            return
        if isinstance(move.pending, Coming):
            if not shared & self._last_coming(move.pending.type):
                for text in self._expected.examples.get((move.pending.type, number), ()):
                    yield self._come(move, move.pending, text, number)
            return
        wanted = move.pending
        text = self.naming.concrete(wanted.text, number)
        for way, forgets in self.releases.carry_out(wanted.service, wanted.effect, text):
            yield self._carried_out(move, wanted, way, number, lost=False)
            if forgets and wanted.nth == 1:
                yield self._carried_out(move, wanted, way, number, lost=True)

    def _react(self, move: Stepping, pending: OnItsWay, own: int, shared: int, number: int) -> Iterator[StepOutcome]:
        heard = self.naming.heard(pending.heard, number)
        kept: dict[Place, EntityRecord] = {}
        for service, kind, neutral in move.places:
            place = (service, kind, self.naming.concrete(neutral, number))
            home = self.naming.near(number, place[2])
            text = self.field(place, home).read(shared if home == SHARED else own)
            kept[place] = self.record(text, home)
        for label, decided in self.releases.decide(heard, kept):
            yield self._decided(move, heard, decided, label, number)

    def _decided(self, move: Stepping, heard: Arrival, decided: Consequences, label: str, number: int) -> StepOutcome:
        made = Making(self.bit, move, label)
        for place, record in decided.kept:
            home = self.naming.near(number, place[2])
            field = self.field(place, home)
            made.keep(("kind", *place[:2]), home, field.mask, field.placed(self._record_text(record, home)))
        for wire_type, text in decided.said:
            home = self.naming.near(number, text)
            made.add(home, *self.said(wire_type, self.naming.neutral(text, home)))
        for effect, text in decided.intents:
            home = self.naming.near(number, text)
            made.add(home, WantedCall(heard.service, effect, self.naming.neutral(text, home)))
        for wire_type, text in decided.deadlines:
            home = self.naming.near(number, text)
            made.add(home, OnItsWay(Arrival("deadline", heard.service, wire_type, self.naming.neutral(text, home))))
        if decided.problem:
            made.add(number, self._quarantined(heard.service, heard.type, decided.problem, number))
        return made.done(self.cut)

    def _lost(self, move: Stepping) -> StepOutcome:
        made = Making(self.bit, move, LOST)
        made.add(SHARED, Lost())
        return made.done(self.cut)

    def _come(self, move: Stepping, coming: Coming, text: str, number: int) -> StepOutcome:
        made, home = Making(self.bit, move), self.naming.near(number, text)
        made.add(SHARED, HasCome(coming.type))
        made.add(home, *self.said(coming.type, self.naming.neutral(text, home)))
        return made.done(self.cut)

    def _carried_out(
        self, move: Stepping, wanted: WantedCall, way: CarriedOut, number: int, *, lost: bool
    ) -> StepOutcome:
        made = Making(self.bit, move, f"{way.label}, lost" if lost else way.label)
        for call in way.calls:
            home = self.naming.near(number, call)
            made.add(home, Called(orjson.loads(call)[0], self.naming.neutral(call, home)))
        if lost:
            # The call is repeated under the same key, which this outside has forgotten.
            made.add(number, replace(wanted, nth=2))
        elif way.answer is not None:
            text = canonical(way.answer.model_dump(mode="json"))
            home = self.naming.near(number, text)
            heard = Arrival("answer", wanted.service, way.answer.wire_type, self.naming.neutral(text, home))
            made.add(home, OnItsWay(heard))
        else:
            made.add(number, self._quarantined(wanted.service, wanted.effect, way.problem, number))
        return made.done(self.cut)

    def _quarantined(self, service: str, what: str, reason: str, number: int) -> HasQuarantined:
        ids, flow = ids_of(self.flows), self.flows[number] if number != SHARED else ""
        neutral = ids.replaced(reason, flow, PLACE) if flow else reason
        return HasQuarantined(service, what, neutral)
