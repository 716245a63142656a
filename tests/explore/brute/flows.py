"""Small flows drawn from a seed: joins, deadlines, effects, one or two flows, some of which see each other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from choreography import Answer, Deadline, Decision, Entity, Event, Intent, Outside, Service, nothing
from choreography.explore import Reply, Scenario
from choreography.explore.model import Model
from choreography.explore.scenario import OutsideModel, ScenarioMaker

DESK = "desk"


class Told(Event, owner="one", subject="flow", type="first.told.v1"):
    """What a flow begins with."""

    flow: str
    desk: str = DESK


class Late(Event, owner="one", subject="flow", type="second.told.v1"):
    """What a flow may begin with as well, or follow with."""

    flow: str
    desk: str = DESK


class Done(Event, owner="one", subject="flow", type="third.told.v1"):
    """Something follows."""

    flow: str
    desk: str = DESK


class Heard(Event, owner="two", subject="flow", type="fourth.told.v1", undoes=Done):
    """The second service follows."""

    flow: str
    desk: str = DESK


class Over(Event, owner="two", subject="flow", type="fifth.told.v1"):
    """The last thing that is said."""

    flow: str
    desk: str = DESK


class Left(Entity, key="flow"):
    """What the first service keeps of a flow."""

    flow: str
    status: Literal["new", "busy", "over"] = "new"
    count: int = 0


class Right(Entity, key="flow"):
    """What the second service keeps of a flow."""

    flow: str
    status: Literal["new", "busy", "over"] = "new"
    count: int = 0


class Desk(Entity, key="desk"):
    """What all flows share."""

    desk: str
    count: int = 0
    first: str = ""


class Ask(Intent):
    """Something is wanted of the outside."""

    flow: str
    desk: str = DESK


class Got(Answer, type="outside.got.v1"):
    """The outside did it, or did not."""

    flow: str
    status: int
    desk: str = DESK


EVENTS: tuple[type[Event], ...] = (Told, Late, Done, Heard, Over)
STATUSES = ("new", "busy", "over")
OUTSIDE = "world"

Saying = Callable[[str], Event | Intent]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a reaction does in one status: the next one, how much it counts, and what it says."""

    status: str
    count: int
    says: tuple[type[Event | Intent], ...]
    fails: bool = False


@dataclass(slots=True)
class Mix:
    """What a drawn flow is made of."""

    flows: int = 1
    joins: int = 0
    deadlines: int = 0
    effects: int = 0
    crossing: bool = False
    alike: bool = True
    parts: set[str] = field(default_factory=set)


def drawn(seed: int, flows: int) -> tuple[Model, Scenario, Mix]:
    """Return a flow for this number of runs, its beginning, and its ingredients."""
    return _Drawing(random.Random(seed), flows).model()


class _Drawing:
    def __init__(self, chance: random.Random, flows: int) -> None:
        self._chance, self._mix = chance, Mix(flows=flows)
        # Two flows have the square of the worlds of one, so each of them is smaller.
        self._likely = 0.4 if flows > 1 else 0.7
        self._crossing = self._mix.flows > 1 and chance.random() < 0.15
        self._ask = chance.random() < 0.35

    def model(self) -> tuple[Model, Scenario, Mix]:
        services = (
            self._service("one", Left, [Told, Late, Done], [Told, Heard, Late]),
            self._service("two", Right, [Heard, Over], [Told, Done, Late]),
        )
        ids = tuple(f"flow-{number}" for number in range(1, self._mix.flows + 1))
        scenario = Scenario(ids, says=tuple(self._begun(ids)))
        forgets = self._ask and self._chance.random() < 0.3
        maker = ScenarioMaker("drawn", lambda: scenario, {})
        outsides = {OUTSIDE: OutsideModel(OUTSIDE, self._answers(), forgets)}
        return Model("drawn", services, (), {"drawn": maker}, outsides), scenario, self._mix

    def _begun(self, ids: Iterable[str]) -> Iterable[Event]:
        second = self._chance.choice(("all", "none", "last", "none", "twice"))
        self._mix.alike = second != "last"
        for number, one in enumerate(ids, 1):
            yield Told(flow=one)
            if second in ("all", "twice") or (second == "last" and number == self._mix.flows):
                yield Late(flow=one)
            if second == "twice" and self._mix.flows == 1:
                yield Late(flow=one)

    def _answers(self) -> Callable[[str, Mapping[str, Any]], Iterable[Reply]]:
        replies = self._chance.choice(((Reply(200, {}),), (Reply(200, {}), Reply(402, {}))))
        return lambda _path, _body: replies

    def _service(
        self, name: str, kind: type[Left | Right], says: list[type[Event]], hears: list[type[Event]]
    ) -> Service:
        service, chance = Service(name, publishes=says), self._chance
        heard = [event for event in hears if event is Told or chance.random() < self._likely]
        for event in heard:
            later = [one for one in says if EVENTS.index(one) > EVENTS.index(event)]
            self._on(service, kind, event, later)
        if len(heard) > 1 and chance.random() < 0.8:
            self._mix.joins += 1
            pair = heard[:2]
            last = max(EVENTS.index(event) for event in pair)
            join = self._joining(kind, [one for one in says if EVENTS.index(one) > last])
            join.__annotations__ |= {"left": pair[0], "right": pair[1]}
            service.when_all(*pair, name=f"{name}-joins")(join)
        if chance.random() < 0.5:
            self._mix.deadlines += 1
            after = chance.choice(heard)
            due = self._reacting(kind, Deadline, [one for one in says if EVENTS.index(one) > EVENTS.index(after)], ())
            service.deadline(after=after, within=timedelta(minutes=5), name=f"{name}-waits")(due)
        if self._ask and name == "two":
            self._effect(service, kind)
        return service

    def _on(self, service: Service, kind: type[Entity], event: type[Event], says: list[type[Event]]) -> None:
        intents: tuple[type[Intent], ...] = (Ask,) if self._ask and service.name == "two" and event is not Heard else ()
        service.on(event, name=f"{service.name}-on-{EVENTS.index(event)}")(
            self._reacting(kind, event, says, intents, desk=self._chance.random() < 0.2)
        )

    def _effect(self, service: Service, kind: type[Entity]) -> None:
        self._mix.effects += 1
        calls = self._chance.random() < 0.85

        async def ask(wish: Ask, world: Outside) -> Got:
            reply = await world.post("/ask", wish) if calls else Reply(200, {})
            return Got(flow=wish.flow, status=reply.status)

        ask.__annotations__ = {"wish": Ask, "world": Outside, "return": Got}
        service.effect(outside=OUTSIDE)(ask)
        service.on(Got, name="got")(self._reacting(kind, Got, [Over], ()))

    def _rules(self, says: list[type[Event]], intents: tuple[type[Intent], ...]) -> dict[str, Rule]:
        chance = self._chance
        rules = {}
        for status in STATUSES:
            said: list[type[Event | Intent]] = [one for one in says if chance.random() < 0.4]
            said += [one for one in intents if chance.random() < 0.6]
            after = chance.choice((status, *STATUSES))
            rules[status] = Rule(after, chance.choice((0, 0, 1)), tuple(said), chance.random() < 0.02)
        return rules

    def _reacting(
        self,
        kind: type[Any],
        heard: type[Any],
        says: list[type[Event]],
        intents: tuple[type[Intent], ...],
        *,
        desk: bool = False,
    ) -> Callable[..., Any]:
        rules, crossing = self._rules(says, intents), self._crossing

        def react(kept: Any, heard: Any) -> Any:
            return _followed(rules, kept, heard.desk if not isinstance(heard, Deadline) else DESK)

        def react_at_desk(kept: Any, desk: Any, heard: Any) -> Any:
            decided = _followed(rules, kept, heard.desk)
            first = desk.first or (heard.flow if crossing else "")
            at_desk = desk.but(count=min(desk.count + 1, 2), first=first)
            return (
                (at_desk, *(decided if isinstance(decided, tuple) else (decided,)))
                if decided is not nothing
                else at_desk
            )

        types: dict[str, Any] = {"kept": kind, "heard": heard, "return": _decision(says, intents)}
        if not desk:
            react.__annotations__ = types
            return react
        self._mix.crossing = self._mix.crossing or self._mix.flows > 1
        react_at_desk.__annotations__ = types | {"desk": _DESKS[kind]}
        return react_at_desk

    def _joining(self, kind: type[Any], says: list[type[Event]]) -> Callable[..., Any]:
        rules = self._rules(says, ())

        def join(kept: Any, left: Any, right: Any) -> Any:
            return _followed(rules, kept, left.desk or right.desk)

        join.__annotations__ = {"kept": kind, "return": _decision(says, ())}
        return join


class LeftDesk(Desk, key="desk"):
    """The desk of the first service."""


class RightDesk(Desk, key="desk"):
    """The desk of the second service."""


_DESKS: dict[type[Any], type[Desk]] = {Left: LeftDesk, Right: RightDesk}


def _decision(says: Iterable[type[Event]], intents: Iterable[type[Intent]]) -> Any:
    kinds: Any = None
    for one in (*says, *intents):
        kinds = one if kinds is None else kinds | one
    return Decision if kinds is None else Decision[kinds]  # type: ignore[misc]


def _followed(rules: Mapping[str, Rule], kept: Any, desk: str) -> Any:
    rule = rules[kept.status]
    if rule.fails:
        raise ValueError(f"no way on from {kept.status}")
    said = tuple(one(flow=kept.flow, desk=desk) for one in rule.says)
    changed = kept.but(status=rule.status, count=min(kept.count + rule.count, 2))
    if changed == kept:
        return said or nothing
    return (changed, *said) if said else changed
