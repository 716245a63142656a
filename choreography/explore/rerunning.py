"""Runs one recorded run again on the services as production runs them: settled and released by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from choreography.authored import reach
from choreography.contracts import Entity
from choreography.engine.answering import Answering
from choreography.engine.delivery import QUARANTINED_TYPE, read_delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import derived_id
from choreography.engine.records import CommittedIntent
from choreography.explore.carrying_out import CarriedOut, ways
from choreography.explore.changing import changes
from choreography.explore.faults import LOST
from choreography.explore.foreign import Foreign, foreign_events
from choreography.explore.items import coming, sender_of
from choreography.explore.model import Model
from choreography.explore.production_step import canonical
from choreography.explore.properties import ExploreError, Property
from choreography.explore.releases import OLD, at_odds, carried_out, new_takes, old_of, old_takes
from choreography.explore.scenario import Scenario
from choreography.explore.steps import Happened, Item
from choreography.explore.world import Part, World, read_part
from choreography.in_memory import NOON, Delivered, InMemory
from choreography.service import Service


class Replay:
    """A run of a flow, one step after another.

    Args:
        model: the flow, named as on a command line.
        scenario: the scenario or its name; without it, the first declared scenario.
        settings: the settings of the scenario, such as ``orders=2``.

    A step that is not possible any more is left out: if the corrected flow cannot take the run, the run proves nothing
    against it.
    """

    def __init__(self, model: Model | str, scenario: Scenario | str = "", /, **settings: Any) -> None:
        if isinstance(model, str):
            reach(model.partition(":")[0])
            model = Model.of(model)
        self.model = model
        self.scenario = scenario if isinstance(scenario, Scenario) else self.model.scenario(scenario, **settings)
        self.model = self.model.beside(self.scenario.faults)
        self.services = {service.name: InMemory(service) for service in self.model.services}
        self.pending: list[Item] = []
        self.happened: list[Happened] = []
        self.left_out: list[str] = []
        self.lost: list[Item] = []
        self._published: dict[str, str] = {}
        self._calls: list[str] = []
        self._quarantined: list[str] = []
        self._broken: dict[str, str] = {}
        for entity in self.scenario.keeps:
            self.services[self.model.owner(type(entity)).name].put(entity)
        for event in self.scenario.says:
            self._fly(self._first(event.wire_type, event.subject, event.model_dump(mode="json")))
        self.foreign = foreign_events(self.model, self.scenario)
        self.pending += [coming(one, text) for one in self.foreign for text in one.examples]

    def hears(self, service: str, name: str, **fields: Any) -> None:
        """Deliver an event, an answer or a deadline that is on its way to a service."""
        self._step(self._named(("event", "answer", "deadline"), service, name, fields), "")

    def old_hears(self, service: str, name: str, **fields: Any) -> None:
        """Deliver an event to the old release of a service. The scenario names it: ``old="old/apps/checkout"``."""
        self._step(self._named(("event", "answer", "deadline"), service, name, fields), OLD)

    def loses(self, service: str, name: str, **fields: Any) -> None:
        """Lose a delivery of an event to a service. The scenario says how many may be lost: ``lose=1``."""
        self._step(self._named(("event",), service, name, fields), LOST)

    def comes(self, name: str, **fields: Any) -> None:
        """Let an event of a foreign publisher come. The scenario names those that may come: ``foreign="Approved"``."""
        found = next((one.source for one in self.foreign if one.name == name), "a foreign publisher")
        self._step(self._named(("foreign",), found, name, fields), "")

    def asks(self, service: str, name: str, *, replies: str, **fields: Any) -> None:
        """Carry out an intent; the outside answers its calls with these replies."""
        self._step(self._named(("intent",), service, name, fields), replies)

    def take(self, style: str, service: str, wire_type: str, text: str, replies: str = "") -> None:
        """Take exactly this step."""
        wanted = (style, service, wire_type, text)
        found = next((one for one in self.possible if (one.style, one.service, one.type, one.text) == wanted), None)
        if found is None:
            self.left_out.append(f"{service} {wire_type} {text}")
        self._step(found, replies)

    def replies_to(self, item: Item) -> tuple[str, ...]:
        """Return the replies by which the outside may carry out an intent; for any other item, its delivery.

        A delivery of an event may be lost as well, as long as the scenario allows one more loss.
        """
        if item.style == "foreign":
            return ("",)
        if item.style != "intent":
            lost = (LOST,) if item.style == "event" and len(self.lost) < self.scenario.faults.lose else ()
            old = (OLD,) if old_takes(self.model, self.services[item.service], item) else ()
            return (*(("",) if new_takes(self.model, item) else ()), *lost, *old)
        return tuple(
            f"{way.label}, lost" if one else way.label
            for way, forgets in self._ways(item)
            for one in ((False, True) if forgets else (False,))
        )

    def to_the_end(self) -> None:
        """Take every step that is still possible, in the order in which the steps became possible."""
        for _ in range(10_000):
            if not (possible := [one for one in self.possible if self.replies_to(one)]):
                return
            self._step(possible[0], self.replies_to(possible[0])[0])
        raise ExploreError("After 10,000 more steps something is still on its way: this flow does not end.")

    def check(self, name: str) -> None:
        """Check that a property holds in every state of this run, or only at its end if that is its mode.

        Raises:
            AssertionError: the property does not hold.
        """
        prop = next((one for one in self.model.properties if one.name == name), None)
        if prop is None:
            raise ExploreError(
                f"{self.model.name} has no property {name!r}, so this run says nothing about it. It has "
                f"{', '.join(one.name for one in self.model.properties)}: choose one of them, or delete the test."
            )
        if prop.mode == "eventually":
            self.to_the_end()
            self.judge(prop)
        if prop.name in self._broken:
            raise AssertionError(f"{prop.text} ({prop.name}) {prop.complaint}: {self._broken[prop.name]}")

    @property
    def possible(self) -> list[Item]:
        """The items that can arrive: those under way, except to a service that is away."""
        away = self.scenario.faults.away
        return [one for one in self.pending if one.style == "foreign" or one.service not in away]

    @property
    def world(self) -> World:
        """The entities of every service now, the published events, and the calls of the outside."""
        return World(self, self.scenario.flows)

    @property
    def broken(self) -> frozenset[str]:
        """The properties that failed after some step."""
        return frozenset(self._broken)

    def broken_where(self, name: str) -> str:
        """Return the place where a property first failed, such as ``after step 8, order-1``."""
        return self._broken[name]

    @property
    def said(self) -> frozenset[str]:
        """The types of all published events."""
        return frozenset(orjson.loads(raw)["type"] for raw in self._published.values())

    @property
    def entities(self) -> dict[tuple[str, str, str], Entity]:
        """Every entity that is stored now, by its service, kind and key."""
        kept = ((service, memory.entities) for service, memory in self.services.items())
        return {(service, *place): entity for service, entities in kept for place, entity in entities.items()}

    def read(self, part: Part) -> tuple[str, ...]:
        """Return one part of the world as JSON texts."""
        kept = [one for memory in self.services.values() for one in memory.entities.values()]
        said = self._published.values()
        flows, aside = self.scenario.flows, self._quarantined
        return read_part(part, flows, kept=kept, published=said, calls=self._calls, quarantined=aside)

    def _first(self, wire_type: str, subject: str, data: dict[str, Any]) -> str:
        """Return a first event, which nothing led to, as its publisher would publish it; repeats get other numbers."""
        identity = derived_id("begin", wire_type, canonical(data), str(len(self._published)))
        source = self.model.source(wire_type)
        return Envelope(identity, wire_type, source, subject, NOON, subject, "", "", data).encode()

    def _named(self, styles: Iterable[str], service: str, name: str, fields: dict[str, Any]) -> Item | None:
        for item in self.possible:
            if item.style in styles and (item.service, item.name) == (service, name):
                data = item.data
                if all(data.get(key) == value for key, value in fields.items()):
                    return item
        self.left_out.append(f"{service} {name} {fields or ''}".strip())
        return None

    def _step(self, item: Item | None, replies: str) -> None:
        if item is None:
            return
        before = self.entities
        said: list[str] = []
        problem, idle = "", False
        if isinstance(item.thing, Foreign):
            self._come(item, item.thing)
        elif isinstance(item.thing, CommittedIntent):
            problem = self._carry_out(item, item.thing, replies)
        elif replies == LOST:
            if not len(self.lost) < self.scenario.faults.lose:
                self.left_out.append(f"{item.service} loses {item.name}")
                return
            self.pending.remove(item)
            self.lost.append(item)
        else:
            if replies == OLD and not old_takes(self.model, self.services[item.service], item):
                self.left_out.append(f"the old release of {item.service} hears {item.name}")
                return
            self.pending.remove(item)
            memory = self.services[item.service]
            memory = old_of(self.model, memory) if replies == OLD else memory
            kept = self._kept(item.service)
            released = memory.hear(item.thing)
            fresh = [one for one in self._kept(item.service) if one not in kept]
            idle = not (fresh or released.events or released.intents or released.deadlines or released.quarantined)
            said = list(self._let_out(memory.service, released))
            strange = at_odds(self.model, self.services[item.service], item.thing, replies, fresh)
            problems = released.quarantined or ([strange] if strange else [])
            problem = "; ".join(released.explained or problems)
            self._quarantined += [orjson.dumps([item.service, item.type, one]).decode() for one in problems]
        changed = tuple(changes(before, self.entities))
        self.happened.append(Happened(item, sender_of(self.model, item), replies, changed, tuple(said), problem, idle))
        for prop in self.model.properties:
            if prop.mode in ("always", "never"):
                self.judge(prop)

    def _come(self, item: Item, foreign: Foreign) -> None:
        came = sum(one.item.thing is foreign for one in self.happened)
        if came + 1 == foreign.times:
            self.pending = [one for one in self.pending if one.thing is not foreign]
        self._fly(self._first(item.type, str(item.data[foreign.subject_field]), item.data))

    def judge(self, prop: Property) -> None:
        """Record whether a property fails now."""
        for flow in self.scenario.flows if prop.each else ("",):
            if prop.fails(self.world, flow):
                self._broken.setdefault(prop.name, f"after step {len(self.happened)}" + (f", {flow}" if flow else ""))

    def _carry_out(self, item: Item, committed: CommittedIntent, replies: str) -> str:
        way = next((one for one, _ in self._ways(item) if one.label == replies.removesuffix(", lost")), None)
        if way is None:
            self.left_out.append(f"{item.service} {item.name} answered {replies}")
            return ""
        self._calls += way.calls
        if replies.endswith(", lost"):
            return ""
        self.pending.remove(item)
        if way.answer is None:
            self._quarantined.append(orjson.dumps([item.service, item.type, way.problem]).decode())
            return way.problem
        delivery = Answering(self.services[item.service].service).delivery(committed, way.answer, NOON)
        text = canonical(way.answer.model_dump(mode="json"))
        name = type(way.answer).__name__
        self.pending.append(Item("answer", item.service, way.answer.wire_type, name, text, delivery))
        return ""

    def _ways(self, item: Item) -> list[tuple[CarriedOut, bool]]:
        def ways_of(release: Model) -> list[CarriedOut]:
            effect = release.effect(item.service, item.type)
            return ways(effect, item.text, release.outsides[effect.outside])

        return list(carried_out(self.model, item.service, item.type, item.text, ways_of))

    def _kept(self, service: str) -> list[tuple[str, Any, Any]]:
        return [(kind, one.state, one.slots) for kind, one in self.services[service].records()]

    def _let_out(self, declared: Service, released: Delivered) -> Iterator[str]:
        service = declared.name
        for event in released.events:
            if orjson.loads(event.encoded)["type"] != QUARANTINED_TYPE:
                yield from self._fly(event.encoded)
        for committed in released.intents:
            effect = next(one for one in declared.effects.values() if one.name == committed.effect)
            text = canonical(orjson.loads(committed.body))
            self.pending.append(Item("intent", service, committed.effect, effect.intent.__name__, text, committed))
            yield effect.intent.__name__
        for due in released.deadlines:
            fired = self.services[service].fired(due)
            if fired.envelope is not None:
                name = declared.subjects[fired.envelope.type].reactions[0].name
                text = canonical(fired.envelope.data)
                self.pending.append(Item("deadline", service, fired.envelope.type, name, text, fired))

    def _fly(self, encoded: str) -> list[str]:
        told = orjson.loads(encoded)
        if told["id"] in self._published:
            return []
        self._published[told["id"]] = encoded
        name, text = self.model.event_name(told["type"]), canonical(told["data"])
        for service in self.model.listeners(told["type"]):
            item = Item("event", service.name, told["type"], name, text, read_delivery(encoded.encode()))
            self.pending.append(item)
        return [name]
