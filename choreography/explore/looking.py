"""Judges a state by a property, and remembers which parts of the state the property read.

A property is a pure function of the parts of the world that it reads, and the next part it reads depends only on those
it has read so far. So its verdicts form a tree: the judge follows this tree for a state, and calls the function itself
only where no state has been before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from choreography.contracts import Entity
from choreography.explore.arranging import State, exchanged
from choreography.explore.bit_layout import Mask, StateLayout
from choreography.explore.elsewhere import ImpureError
from choreography.explore.facts import Called, HasPublished, HasQuarantined
from choreography.explore.flow_ids import ids_of
from choreography.explore.naming import SHARED
from choreography.explore.properties import ExploreError, Property
from choreography.explore.remembering import Texts, judged_again
from choreography.explore.side_effects import reached
from choreography.explore.space import Space
from choreography.explore.world import Interruption, Part, World

Value = int | tuple[int, ...]


NOWHERE: Final = Mask()


class NarrowError(Interruption):
    """A property read more than the one flow that it was shown."""


@dataclass(frozen=True, slots=True)
class Look:
    """The position of a part of the world in a state.

    Attributes:
        own: the bits in the integers of flows.
        shared: the bits in the integer of everything that the flows share.
        at: the flow whose integer is read: a flow other than the judged one, or JUDGED for the judged one, or ALL.
    """

    part: Part
    own: Mask
    shared: Mask
    at: int

    def value(self, state: State, place: int) -> Value:
        """Return the bits of this part when the judged flow stands in the given place."""
        if self.at == ALL:
            own = self.own.value
            # Until a flow has such a part, one integer is enough; it equals no later tuple.
            shared = state[0] & self.shared.value
            return (shared, *[one & own for one in state[1:]]) if own else shared
        if self.own is NOWHERE:
            return state[0] & self.shared.value
        return state[(place if self.at == JUDGED else self.at) + 1] & self.own.value


JUDGED: Final = -1
ALL: Final = -2


class StateLooker:
    """A state as the source of a world; it records the parts that are read.

    Attributes:
        flow: the flow that is judged, or SHARED. It stands at the position of its number, unless it stands alone.
    """

    def __init__(self, space: Space, state: State, flow: int) -> None:
        self._space, self._state, self._flow = space, state, flow
        self._alone = len(state) <= len(space.flows)
        self.looks: list[tuple[Look, Value]] = []
        self.texts: dict[Part, tuple[str, ...]] = {}

    def read(self, part: Part) -> tuple[str, ...]:
        """Return one part as texts.

        Raises:
            NarrowError: the part belongs to flows that are not shown.
        """
        look = self._look(part)
        if self._alone and look.at != JUDGED:
            raise NarrowError
        place = 0 if self._alone else self._flow
        self.looks.append((look, look.value(self._state, place)))
        texts: list[str] = []
        if look.shared is not NOWHERE:
            texts += self._texts(part, self._space.shared, self._state[0] & look.shared.value, SHARED)
        if look.own is not NOWHERE and look.at == JUDGED:
            texts += self._texts(part, self._space.own, self._state[place + 1] & look.own.value, self._flow)
        elif look.own is not NOWHERE:
            for number in range(len(self._space.flows)) if look.at == ALL else (look.at,):
                texts += self._texts(part, self._space.own, self._state[number + 1] & look.own.value, number)
        self.texts[part] = tuple(sorted(texts))
        return self.texts[part]

    def _look(self, part: Part) -> Look:
        space, about = self._space, part[-1]
        home = SHARED
        if part[0] in ("one", "every"):
            entity = self._entity(part[1], part[2])
            service = space.model.owner(entity).name
            sort: tuple[str, ...] = ("kind", service, entity.kind)
            if part[0] == "one":
                home = space.naming.home(about)
                mask = Mask(space.field((service, entity.kind, about), home).mask)
                if home == SHARED:
                    return Look(part, NOWHERE, mask, JUDGED)
                return Look(part, mask, NOWHERE, JUDGED if home == self._flow else home)
        elif part[0] == "quarantined":
            sort = part
        else:
            sort = part[:2]
            home = space.naming.home(about) if about else SHARED
        if home != SHARED:
            return Look(part, space.own.mask(sort), NOWHERE, JUDGED if home == self._flow else home)
        return Look(part, space.own.mask(sort), space.shared.mask(sort), ALL)

    def _entity(self, module: str, name: str) -> type[Entity]:
        for service in self._space.model.services:
            for entity in service.entities:
                if (entity.__module__, entity.__name__) == (module, name):
                    return entity
        raise ExploreError(f"No service keeps a {name} of {module}, so a property cannot look at it.")

    def _texts(self, part: Part, layout: StateLayout, region: int, home: int) -> list[str]:
        concrete = self._space.naming.concrete
        if part[0] in ("one", "every"):
            fields = [field for field in layout.fields.values() if region & field.mask]
            states = [orjson.loads(field.read(region))[0] for field in fields]
            return [concrete(orjson.dumps(state).decode(), home) for state in states if state is not None]
        facts = list(layout.true(region))
        texts = [concrete(_text(fact), home) for fact in facts]
        about = part[-1] if part[0] in ("said", "calls") else ""
        ids = ids_of(self._space.scenario.flows)
        return sorted(text for text in texts if ids.mentions(text, about))


def _text(fact: Any) -> str:
    match fact:
        case HasPublished(_, text) | Called(_, text):
            return text
        case HasQuarantined(service, what, reason):
            return orjson.dumps([service, what, reason]).decode()
        case _:
            raise TypeError(f"{fact!r} is no part of the world that a property sees.")


class VerdictSample(NamedTuple):
    """A verdict, for one flow if the property takes one, and the parts it was made from."""

    property: Property
    flow: str
    texts: Texts
    verdict: bool


class Verdicts:
    """The verdicts of one property on every state it has seen, for one flow if it takes one.

    Attributes:
        flow: the number of that flow; SHARED if the property takes none.
        reads: the sorts of facts that it reads.
        everywhere: it reads more than one flow, and the shared part.
        across: it reads flows other than its own, so the order of steps in different flows matters to it.
        named: it reads a flow by its id, so exchanged flows are different to it.
        good: the verdict that needs no attention: true for always and eventually, false for never and sometimes.
        samples: for each verdict, the parts that the property had read when it first gave it.
    """

    def __init__(self, space: Space, prop: Property, flow: int = SHARED, *, exact: bool = False) -> None:
        self._space, self.property, self.flow, self._exact = space, prop, flow, exact
        self._id = space.scenario.flows[flow] if prop.each else ""
        # Flows that cannot be exchanged have no integers of their own.
        self._at = flow if space.flows else SHARED
        self._root: Any = None
        self.samples: dict[bool, VerdictSample] = {}
        self.good = prop.mode in ("always", "eventually")
        self.reads: set[tuple[str, ...]] = set()
        self.changed = False
        self.everywhere = self.across = not (prop.each and space.flows)
        self.named = bool(prop.each and space.flows)

    def noticed(self) -> None:
        """Count the parts read so far as known."""
        self.changed = False

    def __call__(self, state: State) -> bool:
        """Tell whether the property holds in a state of all flows; in all arrangements, unless the judge is exact."""
        node, place = self._root, self._at
        while node.__class__ is tuple:
            node = node[1].get(node[0].value(state, place))
        return self._ask(state) if node is None else node

    def alone(self, state: State) -> bool:
        """Tell whether it holds in a state that shows only its flow, as long as it reads no other flow.

        Raises:
            NarrowError: it reads another flow.
        """
        node = self._root
        while node.__class__ is tuple:
            node = node[1].get(node[0].value(state, 0))
        return self._ask(state) if node is None else node

    def _ask(self, state: State) -> bool:
        looker, verdict = self._asked(state)
        if not (self.named or self._exact):
            verdict = self._in_all_orders(state, looker, verdict)
        self._remember(looker, verdict)
        return verdict

    def _asked(self, state: State) -> tuple[StateLooker, bool]:
        looker, prop, flows = StateLooker(self._space, state, self._at), self.property, self._space.scenario.flows
        try:
            with reached() as beyond:
                verdict = prop.holds(World(looker, flows), self._id)
        except NarrowError:
            self.everywhere = self.across = True
            raise
        with self._space.deciding.elsewhere:
            again = judged_again(prop, looker.texts, flows, self._id)
        if beyond or again != str(verdict):
            seen = " and ".join(" ".join(part) for part in looker.texts) or "nothing"
            came = [f"{beyond[0]}."] if beyond else [str(verdict), again]
            raise ImpureError(f"the property {prop.name}", seen, *came, kind="property")
        self.samples.setdefault(verdict, VerdictSample(prop, self._id, looker.texts, verdict))
        return looker, verdict

    def _in_all_orders(self, state: State, looker: StateLooker, verdict: bool) -> bool:
        """Return the verdict that counts among all arrangements of a state, which look the same to this property."""
        parts = [look.part for look, _ in looker.looks]
        verdicts = {verdict}
        for order in self._space.arranging.orders[1:]:
            other, holds = self._asked(exchanged(state, order))
            verdicts.add(holds)
            if any(look.at >= 0 for look, _ in other.looks) or [look.part for look, _ in other.looks] != parts:
                self.named = self.changed = True
        # For never and sometimes, one arrangement in which it holds decides; for the others, one in which it does not.
        return any(verdicts) if self.property.mode in ("never", "sometimes") else all(verdicts)

    def _remember(self, looker: StateLooker, verdict: bool) -> None:
        place: Any = None
        before = (len(self.reads), self.everywhere, self.across, self.named)
        for look, value in looker.looks:
            self.reads.update(_sorts(look, self._space))
            self.everywhere |= look.at != JUDGED
            self.across |= look.shared is not NOWHERE or look.at != JUDGED
            self.named |= look.at >= 0
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
        self.changed |= before != (len(self.reads), self.everywhere, self.across, self.named)


def _sorts(look: Look, space: Space) -> set[tuple[str, ...]]:
    if look.part[0] in ("one", "every"):
        for service in space.model.services:
            for entity in service.entities:
                if (entity.__module__, entity.__name__) == look.part[1:3]:
                    return {("kind", service.name, entity.kind)}
    return {look.part if look.part[0] == "quarantined" else look.part[:2]}
