"""The content of a page: a run, the entities of every service after it, the next possible steps, and the properties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from choreography.contracts import Entity
from choreography.explore.browser.course import Course, Option, options
from choreography.explore.browser.sequence import Sequence, sequence
from choreography.explore.faults import LOST
from choreography.explore.model import Model
from choreography.explore.properties import Property
from choreography.explore.releases import OLD, answered, by_old
from choreography.explore.rerunning import Replay
from choreography.explore.run_report import as_test, sentence, what_came
from choreography.explore.scenario import Scenario
from choreography.explore.stuck import why_it_stopped
from choreography.fields import spread


@dataclass(frozen=True, slots=True)
class Beginning:
    """The chosen scenario, and the parameters of the address that name it."""

    name: str
    scenario: Scenario

    def address(self, course: Course, page: str = "/") -> str:
        """Return the address of a run of this scenario."""
        words = {"scenario": self.name, **{f"set-{key}": _word(value) for key, value in self.scenario.settings}}
        return f"{page}?{urlencode({**words, 'run': str(course)})}"


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field of an entity; ``changed``: the last step changed it."""

    name: str
    value: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """One entity as its service stores it."""

    title: str
    fields: tuple[ShownField, ...]


@dataclass(frozen=True, slots=True)
class Next:
    """One step that is possible next, as a link."""

    style: str
    text: str
    details: str
    address: str


@dataclass(frozen=True, slots=True)
class ServicePanel:
    """One service: the entities that it stores, and the steps that are possible at it next."""

    name: str
    kept: tuple[Kept, ...]
    next: tuple[Next, ...]
    foreign: bool = False
    """It is no service of this flow, but a publisher that this flow hears."""


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step that was taken, and the address of the run up to it."""

    number: int
    text: str
    came: tuple[str, ...]
    problem: str
    address: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict of one property on this run. ``mark`` is one of: holds, broken, reached, open."""

    mode: str
    text: str
    mark: str
    words: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that one page shows."""

    flow: str
    beginning: Beginning
    course: Course
    steps: tuple[StepLine, ...]
    services: tuple[ServicePanel, ...]
    waiting: tuple[str, ...]
    judged: tuple[Judged, ...]
    picture: Sequence
    test: str
    restart: str
    back: str
    onward: str
    searching: str

    @property
    def over(self) -> bool:
        """Nothing is under way any more."""
        return not any(service.next for service in self.services)


def page_of(model: Model, beginning: Beginning, course: Course) -> Page:
    """Take a run on the services as production runs them, and return the content of its page.

    Raises:
        ExploreError: one of its steps is not possible.
    """
    model = model.beginning_with(beginning.scenario)
    replay = course.taken(model, beginning.scenario)
    before = course.first(-1).taken(model, beginning.scenario).entities if course.choices else {}
    possible = options(replay)
    return Page(
        flow=model.name,
        beginning=beginning,
        course=course,
        steps=tuple(_steps(replay, beginning, course)),
        services=tuple(_panels(replay, before, possible, beginning, course)),
        waiting=tuple(why_it_stopped(replay)),
        judged=tuple(_judged(replay, one, over=not possible) for one in model.properties),
        picture=sequence(replay),
        test=_test(replay, model, over=not possible),
        restart=beginning.address(Course()),
        back=beginning.address(course.first(-1)) if course.choices else "",
        onward=beginning.address(course, "/onward") if possible else "",
        searching=beginning.address(course, "/search"),
    )


def _steps(replay: Replay, beginning: Beginning, course: Course) -> Iterator[StepLine]:
    for number, happened in enumerate(replay.happened, 1):
        address = beginning.address(course.first(number))
        yield StepLine(number, sentence(replay, happened), tuple(what_came(happened)), happened.problem, address)


def _panels(
    replay: Replay,
    before: Mapping[tuple[str, str, str], Entity],
    possible: list[Option],
    beginning: Beginning,
    course: Course,
) -> Iterator[ServicePanel]:
    after = replay.entities
    for service in replay.model.services:
        kept = (_kept(entity, before.get(place)) for place, entity in after.items() if place[0] == service.name)
        steps = (_next(replay, one, beginning, course) for one in possible if one.item.service == service.name)
        yield ServicePanel(service.name, tuple(kept), tuple(steps))
    services = {service.name for service in replay.model.services}
    for source in dict.fromkeys(one.source for one in replay.foreign if one.source not in services):
        coming = (_next(replay, one, beginning, course) for one in possible if one.item.service == source)
        yield ServicePanel(source, (), tuple(coming), foreign=True)


def _kept(entity: Entity, before: Entity | None) -> Kept:
    kind = type(entity)
    was = spread(kind, before.model_dump(mode="json")) if before else {}
    fields = tuple(
        ShownField(name.replace("_", " "), _value(value), before is None or was.get(name) != value)
        for name, value in spread(kind, entity.model_dump(mode="json")).items()
        if name != entity.key_field
    )
    return Kept(f"{kind.__name__} {entity.key}", fields)


def _value(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


_VERB: Mapping[str, str] = {
    "event": "hears",
    "answer": "gets the answer",
    "deadline": "meets its deadline",
    "foreign": "says",
}


def _next(replay: Replay, option: Option, beginning: Beginning, course: Course) -> Next:
    item = option.item
    if item.style == "intent":
        by = "the old release " if by_old(option.replies) else ""
        done, ending = answered(option.replies), " and its answer is lost" if option.replies.endswith(", lost") else ""
        text = f"{by}asks for {item.name}: {replay.model.outside_of(item.service, item.type)} answers {done}{ending}"
    else:
        by = "the old release " if option.replies == OLD else ""
        text = f"{item.name} is lost" if option.replies == LOST else f"{by}{_VERB[item.style]} {item.name}"
    details = ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in item.data.items())
    return Next(item.style, text, details, beginning.address(course.then(option.number)))


def _judged(replay: Replay, prop: Property, *, over: bool) -> Judged:
    if prop.name in replay.broken:
        return Judged(prop.mode, prop.text, "broken", f"broken {replay.broken_where(prop.name)}")
    match prop.mode:
        case "sometimes":
            reached = _holds_somewhere(replay, prop)
            return Judged(prop.mode, prop.text, *(("reached", "is so now") if reached else ("open", "is not so now")))
        case "eventually" if not over:
            return Judged(prop.mode, prop.text, "open", "judged when nothing is on its way any more")
        case "eventually" if any(prop.fails(replay.world, flow) for flow in _flows(replay, prop)):
            return Judged(prop.mode, prop.text, "broken", "broken: nothing is on its way any more")
        case _:
            return Judged(prop.mode, prop.text, "holds", "holds")


def _holds_somewhere(replay: Replay, prop: Property) -> bool:
    return any(prop.holds(replay.world, flow) for flow in _flows(replay, prop))


def _flows(replay: Replay, prop: Property) -> tuple[str, ...]:
    return replay.scenario.flows if prop.each else ("",)


def _test(replay: Replay, model: Model, *, over: bool) -> str:
    """Return the run as a test of the property that it breaks; of the first property if it breaks none."""
    judged = [(prop, _judged(replay, prop, over=over)) for prop in model.properties]
    chosen = next((prop for prop, one in judged if one.mark == "broken"), model.properties[0])
    return as_test(replay, chosen, f"choreography explore {model.name} --serve")


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
