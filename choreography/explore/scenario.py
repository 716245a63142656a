"""How a flow begins, and how the outside may answer: what an exploration is given besides the services."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from choreography.contracts import Entity, Event
from choreography.explore.properties import ExploreError
from choreography.outside import Reply

Answers = Callable[[str, Mapping[str, Any]], Iterable[Reply]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One beginning.

    Attributes:
        flows: the ids of what is started, such as the orders. Those that start alike are interchangeable.
        keeps: entities that are there before anything happens.
        says: the events that set everything going. All are on their way from the beginning, so each may arrive at any
            moment, in any order.
        settings: what it was made from.
    """

    flows: tuple[str, ...]
    keeps: tuple[Entity, ...] = ()
    says: tuple[Event, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Refuse ids that could be taken for each other or for something else."""
        for one in self.flows:
            if len(one) < 4 or any(one in other for other in self.flows if other is not one):
                raise ExploreError(
                    f"The flow id {one!r} could be taken for a part of something else, and states would be mixed up. "
                    f"Use longer ids, none a part of another: {one}-1, {one}-2."
                )


@dataclass(frozen=True, slots=True)
class ScenarioMaker:
    """A function from settings, such as ``orders=2``, to a scenario."""

    name: str
    function: Callable[..., Scenario]
    settings: Mapping[str, Any]

    def __call__(self, **settings: Any) -> Scenario:
        """Make the scenario."""
        unknown = settings.keys() - self.settings.keys()
        if unknown:
            raise ExploreError(
                f"The scenario {self.name} has no setting {', '.join(sorted(unknown))}; "
                f"it has {', '.join(self.settings) or 'none'}."
            )
        return replace(self.function(**settings), settings=tuple({**self.settings, **settings}.items()))


def scenario(function: Callable[..., Scenario]) -> ScenarioMaker:
    """Declare how a flow begins: a function whose parameters all have defaults."""
    parameters = inspect.signature(function).parameters
    needy = [name for name, one in parameters.items() if one.default is inspect.Parameter.empty]
    if needy:
        raise ExploreError(f"The scenario {function.__name__} needs {needy[0]!r}. Give every parameter a default.")
    return ScenarioMaker(function.__name__, function, {name: one.default for name, one in parameters.items()})


@dataclass(frozen=True, slots=True)
class OutsideModel:
    """How one outside system may answer.

    Attributes:
        forgets_keys: it does not honour idempotency keys, so a repeated call is done again.
    """

    name: str
    answers: Answers
    forgets_keys: bool = field(default=False)


def outside(name: str, *, forgets_keys: bool = False) -> Callable[[Answers], OutsideModel]:
    """Declare how an outside system may answer: every reply that one call may get.

    That it answers late, or twice, or that its answer is lost and asked for again, need not be declared: all of that
    happens anyway.
    """
    return lambda function: OutsideModel(name, function, forgets_keys)
