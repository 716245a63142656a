"""Events of foreign publishers: examples of their contracts that name the flows and entities of a scenario."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import ValidationError

from choreography.analysis.examples import NoExampleError, example, variants
from choreography.contracts import Event, Value
from choreography.declaration import Named
from choreography.explore.flow_ids import ids_of
from choreography.explore.model import Model
from choreography.explore.scenario import Scenario

MOST_EXAMPLES: Final = 6
"""Examples of one event about one flow. Each of them multiplies the states, and more of them rarely tell more."""

_MOST_VARIANTS: Final = 4
_MOST_VALUES: Final = 3


@dataclass(frozen=True, slots=True)
class Foreign:
    """One event of a foreign publisher that comes at some moment of a run.

    Attributes:
        source: its publisher.
        inside: the publisher is a service of this flow, so another system must publish in its name.
        subject_field: the field that names the subject of the event.
        times: how often it comes.
        examples: its possible contents, as JSON texts.
        left_out: how many further examples were generated and left out.
    """

    name: str
    wire_type: str
    source: str
    inside: bool
    subject_field: str
    times: int
    examples: tuple[str, ...]
    left_out: int = 0

    @property
    def publisher(self) -> str:
        """The publisher, in words."""
        return f"somebody else in the name of {self.source}" if self.inside else f"{self.source}, a foreign publisher,"

    @property
    def told(self) -> str:
        """The events that may come, in words."""
        often = "once" if self.times == 1 else f"{self.times} times"
        more = f" ({self.left_out} more were left out)" if self.left_out else ""
        one_of = f"one of {len(self.examples)} examples" if len(self.examples) > 1 else "the example"
        said = ", ".join(self.examples)
        return f"{self.publisher} says {self.name} {often}, at any moment, as {one_of}{more}: {said}"


class Expected:
    """The foreign events that a search expects, by the flow that an example names; SHARED if it names none.

    Attributes:
        times: how often each comes, by its wire type.
        examples: the possible contents of each, by its wire type and the number of the flow.
    """

    def __init__(self, events: Iterable[Foreign], home: Callable[[str], int]) -> None:
        self.times: dict[str, int] = {}
        self.examples: dict[tuple[str, int], list[str]] = {}
        for one in events:
            self.times[one.wire_type] = one.times
            for text in one.examples:
                self.examples.setdefault((one.wire_type, home(text)), []).append(text)

    def about(self, number: int) -> list[str]:
        """Return the wire types of the events that may come about a flow."""
        return [wire_type for wire_type, flow in self.examples if flow == number]


def foreign_events(model: Model, scenario: Scenario) -> tuple[Foreign, ...]:
    """Return the events that foreign publishers may publish in the runs of a scenario.

    Raises:
        ExploreError: no service consumes an event of that name.
        NoExampleError: no example of its contract can be made up.
    """
    found: Counter[tuple[type[Event], ...]] = Counter(model.events.heard_as(name) for name in scenario.faults.foreign)
    made, ids = list[Foreign](), _Ids(model, scenario)
    for contracts, times in found.items():
        first = contracts[0]
        examples, left_out = _examples(contracts, ids.fields(first), scenario.flows)
        source = model.source(first.wire_type)
        made.append(
            Foreign(
                first.__name__,
                first.wire_type,
                source,
                any(service.name == source for service in model.services),
                first.subject_field,
                times,
                tuple(examples),
                left_out,
            )
        )
    return tuple(made)


class _Ids:
    """The ids of a scenario, by the names of the fields that hold them and the kinds of entities that they name."""

    def __init__(self, model: Model, scenario: Scenario) -> None:
        self._model, self._flows = model, scenario.flows
        self._names: dict[str, dict[str, None]] = {}
        self._kinds: dict[str, dict[str, None]] = {}
        for entity in scenario.keeps:
            self._note(entity.key_field, entity.key, entity.kind)
            self._note_flows(entity)
        for event in scenario.says:
            self._note(event.subject_field, event.subject)
            self._note_flows(event)
            for named in _namings(model, event.wire_type):
                for one in named.ids(event):
                    self._note(named.path[-1], one, named.entity.kind)

    def fields(self, event: type[Event]) -> dict[str, tuple[str, ...]]:
        """Return the names of the fields of an event that hold ids, with the ids that each may hold."""
        fields = {name: tuple(known) for name, known in self._names.items()}
        for named in _namings(self._model, event.wire_type):
            known = tuple(self._kinds.get(named.entity.kind, ()))
            # An entity without any known id is most likely keyed by a flow's id.
            fields[named.path[-1]] = known or fields.get(named.path[-1], self._flows)
        fields.setdefault(event.subject_field, self._flows)
        return fields

    def _note(self, name: str, value: str, kind: str = "") -> None:
        self._names.setdefault(name, {})[value] = None
        if kind:
            self._kinds.setdefault(kind, {})[value] = None

    def _note_flows(self, value: Value) -> None:
        for name, one in _leaves(value.model_dump(mode="json")):
            if one in self._flows:
                self._note(name, str(one))


def _namings(model: Model, wire_type: str) -> Iterator[Named]:
    """Yield the entities that reactions to an event name, in every consumer."""
    for service in model.services:
        if wire_type in service.subjects:
            for reaction in service.subjects[wire_type].reactions:
                yield from reaction.named


def _examples(
    contracts: Sequence[type[Event]], fields: Mapping[str, Sequence[str]], flows: tuple[str, ...]
) -> tuple[list[str], int]:
    """Return the examples about each flow, and how many more there are."""
    by_flow: dict[tuple[int, ...], dict[str, None]] = {}
    for data in _made_up(contracts):
        for chosen in _assignments({name for name, _ in _leaves(data)} & fields.keys(), fields, flows):
            text = orjson.dumps(_fitting(contracts, data, chosen), option=orjson.OPT_SORT_KEYS).decode()
            by_flow.setdefault(tuple(ids_of(flows).numbers(text)), {})[text] = None
    kept = [text for texts in by_flow.values() for text in list(texts)[:MOST_EXAMPLES]]
    return kept, sum(map(len, by_flow.values())) - len(kept)


def _made_up(contracts: Sequence[type[Event]]) -> Iterator[dict[str, Any]]:
    """Yield plain data that every contract of an event allows: each case of a closed field, small and large."""
    first, *others = contracts
    made = list(variants(first, 1, _MOST_VARIANTS).picked)
    # If the smallest example is refused, a larger one has to do.
    with suppress(NoExampleError):
        made.append(example(first, 0))
    for one in made:
        data = one.model_dump(mode="json", exclude_unset=True)
        for other in others:
            # A service may read an event by a contract of its own.
            data = {**example(other, 1).model_dump(mode="json"), **data}
        yield data


def _assignments(
    names: set[str], fields: Mapping[str, Sequence[str]], flows: Sequence[str]
) -> Iterator[dict[str, str]]:
    """Yield an id for each field: fields that may name a flow name the same flow, other fields vary."""
    of_flows = sorted(name for name in names if set(fields[name]) & set(flows))
    others = sorted(names - set(of_flows))
    values = [list(fields[name])[:_MOST_VALUES] for name in others]
    for flow in flows if of_flows else ("",):
        for picked in itertools.product(*values):
            yield {**dict.fromkeys(of_flows, flow), **dict(zip(others, picked, strict=True))}


def _fitting(contracts: Sequence[type[Event]], data: Any, chosen: Mapping[str, str]) -> Any:
    """Put ids into data where the contracts allow them."""
    for name, value in chosen.items():
        tried = _with(data, name, value)
        if all(_allowed(contract, tried) for contract in contracts):
            data = tried
    return data


def _allowed(contract: type[Event], data: Any) -> bool:
    try:
        contract.model_validate_json(orjson.dumps(data), strict=True)
    except ValidationError:
        return False
    return True


def _with(data: Any, name: str, value: str) -> Any:
    if isinstance(data, dict):
        return {key: _put(one, value) if key == name else _with(one, name, value) for key, one in data.items()}
    return [_with(one, name, value) for one in data] if isinstance(data, list) else data


def _put(old: Any, value: str) -> Any:
    match old:
        case list():
            return [_put(one, value) for one in old]
        case bool() | dict():
            return old
        case int() if value.isdecimal():
            return int(value)
        case _:
            return value


def _leaves(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, key)
    elif isinstance(data, list):
        for value in data:
            yield from _leaves(value, name)
    else:
        yield name, data
