"""How a flow begins, and how the outside may reply: the input of an exploration besides the services."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, get_type_hints

from pydantic import TypeAdapter, ValidationError

from choreography.authored import told
from choreography.contracts import Entity, Event
from choreography.errors import ChoreographyError
from choreography.explore.faults import FAULT_SETTINGS, NO_FAULTS, Faults
from choreography.explore.properties import ExploreError
from choreography.outside import Reply

_SHORTEST: Final = 4
"""A shorter id of a flow could be a part of any other word."""

Answers = Callable[[str, Mapping[str, Any]], Iterable[Reply]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which a flow begins.

    Attributes:
        flows: the ids of the flows, such as the orders. Those that begin alike are interchangeable.
        keeps: the entities that exist before anything happens.
        says: the events that start everything. All are under way from the beginning, so each may arrive at any moment,
            in any order.
        settings: the settings that it was made from.
        name: its name.
        faults: the faults that its runs may have, beyond those that the engine handles.
    """

    flows: tuple[str, ...]
    keeps: tuple[Entity, ...] = ()
    says: tuple[Event, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    name: str = ""
    faults: Faults = NO_FAULTS

    def __post_init__(self) -> None:
        """Refuse ids that could be confused with each other or with other text."""
        for part in ("flows", "keeps", "says"):
            if isinstance(getattr(self, part), str) or not isinstance(getattr(self, part), Sequence):
                raise ExploreError(
                    f"The {part} of a scenario are {getattr(self, part)!r}, which is no tuple, so it is unclear what "
                    "begins. Write a tuple, also around a single one: Scenario((one,), says=(event,))."
                )
        for one in self.flows:
            if len(one) < _SHORTEST or any(_hides(one, other) for other in self.flows if other != one):
                raise ExploreError(
                    f"The flow id {one!r} could be taken for a part of something else, and states would be mixed up. "
                    f"Use longer ids, none a part of another but for its number: {one}-1, {one}-2 up to {one}-10."
                )
        if twice := [one for number, one in enumerate(self.flows) if one in self.flows[:number]]:
            raise ExploreError(
                f"The flow id {twice[0]!r} is there twice, so two flows would be one. Give each its own: "
                f"{twice[0]}-1, {twice[0]}-2."
            )


def _hides(one: str, other: str) -> bool:
    """Tell whether an id is part of another id, except for a shorter number, as order-1 is in order-10."""
    return one in other and not (other.startswith(one) and one[-1].isdigit() and other[len(one) :].isdigit())


@dataclass(frozen=True, slots=True)
class ScenarioMaker:
    """A function that makes a scenario from settings, such as ``orders=2``."""

    name: str
    function: Callable[..., Scenario]
    settings: Mapping[str, Any]

    def __call__(self, **settings: Any) -> Scenario:
        """Make the scenario; a setting may come as text, as it does from a command line.

        Raises:
            ExploreError: it has no such setting, one of them has another type, or nothing would happen in it.
        """
        unknown = settings.keys() - self.settings.keys() - self.faults.keys()
        if unknown:
            raise ExploreError(
                f"The scenario {self.name} has no setting {', '.join(sorted(unknown))}; "
                f"it has {', '.join([*self.settings, *self.faults])}."
            )
        read = {name: self.read(name, value) for name, value in settings.items()}
        chosen = {name: read.get(name, usual) for name, usual in self.settings.items()}
        faults = {name: value for name, value in read.items() if self.faults.get(name, value) != value}
        spoken = f"{self.name}({', '.join(f'{name}={value!r}' for name, value in chosen.items())})"
        try:
            made = self.function(**chosen)
        except ChoreographyError:
            raise
        except Exception as error:
            raise ExploreError(
                f"The scenario {spoken} could not be made, so there is nothing to explore: {told(error)}. "
                "Mend it, or choose other settings."
            ) from error
        if not isinstance(made, Scenario) or not made.says:
            what = "begins with no event" if isinstance(made, Scenario) else f"is {made!r} and no Scenario"
            raise ExploreError(
                f"The scenario {spoken} {what}, so nothing would ever happen and everything would seem to hold. "
                "Choose other settings, or let it return a Scenario that says at least one event."
            )
        made = replace(made, settings=(*chosen.items(), *faults.items()), name=self.name)
        return replace(made, faults=Faults.of(faults)) if faults else made

    def read(self, name: str, value: Any) -> Any:
        """Convert a value of a setting to the annotation of its parameter, or to the type of its default.

        Raises:
            ExploreError: the value does not fit.
        """
        adapter: TypeAdapter[Any] = TypeAdapter(self.kind(name))
        try:
            return adapter.validate_strings(value) if isinstance(value, str) else adapter.validate_python(value)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            raise ExploreError(
                f"The setting {name} of the scenario {self.name} cannot be {value!r} ({problem}). "
                f"Write something like its default, which is {self.usual(name)!r}."
            ) from error

    def can_be(self, name: str, value: Any) -> bool:
        """Tell whether this scenario can be made with a value of a setting."""
        try:
            return name in {**self.faults, **self.settings} and bool(self.read(name, value) == value)
        except ExploreError:
            return False

    def kind(self, name: str) -> Any:
        """Return the type of a setting."""
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except (NameError, TypeError):
            # Only a type checker can resolve this annotation.
            hints = {}
        default = self.usual(name)
        return hints.get(name, Any if default is None else type(default))

    @property
    def faults(self) -> Mapping[str, Any]:
        """The settings that every scenario has, with their defaults; without those that its own parameters replace."""
        return {name: usual for name, usual in FAULT_SETTINGS.items() if name not in self.settings}

    def usual(self, name: str) -> Any:
        """Return the default of a setting."""
        return {**self.faults, **self.settings}[name]

    @property
    def text(self) -> str:
        """The first line of the docstring of the function."""
        return next(iter((inspect.getdoc(self.function) or "").splitlines()), "")


def scenario(function: Callable[..., Scenario]) -> ScenarioMaker:
    """Declare how a flow begins: a function whose parameters all have defaults."""
    parameters = inspect.signature(function).parameters
    needy = [name for name, one in parameters.items() if one.default is inspect.Parameter.empty]
    if needy:
        raise ExploreError(f"The scenario {function.__name__} needs {needy[0]!r}. Give every parameter a default.")
    return ScenarioMaker(function.__name__, function, {name: one.default for name, one in parameters.items()})


@dataclass(frozen=True, slots=True)
class OutsideModel:
    """The possible replies of one outside system.

    Attributes:
        forgets_keys: it ignores idempotency keys, so a repeated call is executed again.
    """

    name: str
    answers: Answers
    forgets_keys: bool = field(default=False)


def outside(name: str, *, forgets_keys: bool = False) -> Callable[[Answers], OutsideModel]:
    """Declare an outside system: every reply that one call may get.

    Late replies, repeated replies, and lost replies with a second call need no declaration: all of these happen anyway.
    """
    return lambda function: OutsideModel(name, function, forgets_keys)
