"""Looking at a state as a property does, and remembering what it looked at.

A property is a pure function of the parts of the world that it reads, and which part it reads next depends only on
what it has read so far. So its verdicts form a tree: a state is judged by following it, and the function itself is
called only where no state has been before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from choreography.contracts import Entity
from choreography.explore.facts import Called, Published, SetAside
from choreography.explore.layout import Layout, Mask
from choreography.explore.naming import SHARED
from choreography.explore.properties import ExploreError, Property
from choreography.explore.space import Space
from choreography.explore.world import Part, World

Value = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Where a part of the world stands in a state: in the judged flow's integer, in the shared one, or in all."""

    part: Part
    own: Mask | None
    shared: Mask | None
    everywhere: bool = False

    def value(self, state: tuple[int, ...], number: int) -> Value:
        """Return the bits of this part."""
        if self.everywhere:
            own = self.own.value if self.own else 0
            return (number, state[0] & (self.shared.value if self.shared else 0), *[one & own for one in state[1:]])
        if self.own is not None:
            return state[number + 1] & self.own.value
        return state[0] & self.shared.value if self.shared else 0


class Looker:
    """A state as the source of a world; it notes down what is read."""

    def __init__(self, space: Space, state: tuple[int, ...], number: int) -> None:
        self._space, self._state, self._number = space, state, number
        self.looks: list[tuple[Look, Value]] = []

    def read(self, part: Part) -> tuple[str, ...]:
        """Return one part as texts."""
        look = self._look(part)
        self.looks.append((look, look.value(self._state, self._number)))
        texts: list[str] = []
        if look.shared is not None:
            texts += self._texts(part, self._space.shared, self._state[0] & look.shared.value, SHARED)
        if look.own is not None:
            for number in range(len(self._space.flows)) if look.everywhere else (self._number,):
                texts += self._texts(part, self._space.own, self._state[number + 1] & look.own.value, number)
        return tuple(sorted(texts))

    def _look(self, part: Part) -> Look:
        space, about = self._space, part[-1]
        if part[0] in ("one", "every"):
            entity = self._entity(part[1], part[2])
            service = space.model.owner(entity).name
            if part[0] == "one":
                home = space.naming.home(about)
                mask = Mask(space.field((service, entity.kind, about), home).mask)
                if home not in (SHARED, self._number):
                    return Look(part, mask, None, everywhere=True)
                return Look(part, None if home == SHARED else mask, mask if home == SHARED else None)
            sort: tuple[str, ...] = ("kind", service, entity.kind)
        elif part[0] == "set aside":
            sort = part
        else:
            sort = part[:2]
            home = space.naming.home(about) if about else SHARED
            if home != SHARED and home == self._number:
                return Look(part, space.own.mask(sort), None)
        return Look(part, space.own.mask(sort), space.shared.mask(sort), everywhere=True)

    def _entity(self, module: str, name: str) -> type[Entity]:
        for service in self._space.model.services:
            for entity in service.entities:
                if (entity.__module__, entity.__name__) == (module, name):
                    return entity
        raise ExploreError(f"No service keeps a {name} of {module}, so a property cannot look at it.")

    def _texts(self, part: Part, layout: Layout, region: int, home: int) -> list[str]:
        concrete = self._space.naming.concrete
        if part[0] in ("one", "every"):
            fields = [field for field in layout.fields.values() if region & field.mask]
            states = [orjson.loads(field.read(region))[0] for field in fields]
            return [concrete(orjson.dumps(state).decode(), home) for state in states if state is not None]
        facts = list(layout.true(region))
        texts = [concrete(_text(fact), home) for fact in facts]
        about = part[-1] if part[0] in ("said", "calls") else ""
        return sorted(text for text in texts if about in text)


def _text(fact: Any) -> str:
    match fact:
        case Published(_, text) | Called(_, text):
            return text
        case SetAside(service, what, reason):
            return orjson.dumps([service, what, reason]).decode()
        case _:
            raise TypeError(f"{fact!r} is no part of the world that a property sees.")


class Verdicts:
    """What one property says of every state that it has seen the like of."""

    def __init__(self, space: Space, prop: Property, flow: str = "") -> None:
        self._space, self.property, self._flow = space, prop, flow
        self._root: Any = None
        self.reads: set[tuple[str, ...]] = set()
        self.changed = False
        self.everywhere = not prop.each
        """It looks at more than one flow and what all of them share."""
        self.across = not prop.each
        """It looks at more than one flow, so the order of steps in different flows matters to it."""

    def __call__(self, state: tuple[int, ...], number: int = SHARED) -> bool:
        """Tell whether the property holds in a state, for one flow if it is about each."""
        node = self._root
        while node.__class__ is tuple:
            look, after = node
            node = after.get(look.value(state, number))
        return self._ask(state, number) if node is None else node

    def _ask(self, state: tuple[int, ...], number: int) -> bool:
        flows = self._space.scenario.flows
        looker = Looker(self._space, state, number)
        flow = self._flow or (flows[number] if self.property.each else "")
        verdict = self.property.holds(World(looker, flows), flow)
        self._remember(looker, verdict)
        return verdict

    def _remember(self, looker: Looker, verdict: bool) -> None:
        place: Any = None
        before = (len(self.reads), self.everywhere, self.across)
        for look, value in looker.looks:
            self.reads.update(_sorts(look, self._space))
            self.everywhere |= look.everywhere
            self.across |= look.shared is not None
            node = self._root if place is None else place[0].get(place[1])
            if node is None:
                node = (look, {})
                if place is None:
                    self._root = node
                else:
                    place[0][place[1]] = node
            place = (node[1], value)
        if place is None:
            self._root = verdict
        else:
            place[0][place[1]] = verdict
        self.changed |= before != (len(self.reads), self.everywhere, self.across)


def _sorts(look: Look, space: Space) -> set[tuple[str, ...]]:
    if look.part[0] in ("one", "every"):
        for service in space.model.services:
            for entity in service.entities:
                if (entity.__module__, entity.__name__) == look.part[1:3]:
                    return {("kind", service.name, entity.kind)}
    return {look.part if look.part[0] == "set aside" else look.part[:2]}
